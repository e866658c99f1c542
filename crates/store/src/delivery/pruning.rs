//! Removes what delivery does not need any more: events that were published long ago, inbox rows
//! whose messages no stream can deliver again.

use delivery::CONSUMERS;

use crate::{Store, StoreError, delivery::subjects::like_patterns};

/// Rows per statement, so that no lock lasts long.
const STEP: i64 = 5_000;
/// How long published events are kept, to be published again after the loss of a stream.
const KEEP_PUBLISHED_DAYS: i32 = 1;
/// How long published work that nobody has handled yet is kept.
const KEEP_UNHANDLED_DAYS: i32 = 14;
/// How long inbox rows are kept. No stream of work keeps a message for longer.
const KEEP_INBOX_DAYS: i32 = 14;

/// The consumers that handle what the outbox sends: with them the primary key of `inbox` finds a
/// message.
pub(crate) fn durables() -> Vec<String> {
    CONSUMERS.iter().map(|consumer| consumer.durable.to_owned()).collect()
}

impl Store {
    /// Removes old events and inbox rows, one step of each. `work`: the subjects of the streams of
    /// work, whose messages a consumer handles.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn prune(&self, work: &[String]) -> Result<(), StoreError> {
        sqlx::query!(
            "
            delete from outbox
            where id in (
                select id
                from outbox o
                where published_at < now() - make_interval(days => $1)
                    and (
                        subject not like all ($2)
                        or published_at < now() - make_interval(days => $3)
                        or exists (
                            select 1
                            from inbox i
                            where i.consumer = any ($4) and i.message_key = o.message_id
                        )
                    )
                limit $5
            )
            ",
            KEEP_PUBLISHED_DAYS,
            &like_patterns(work),
            KEEP_UNHANDLED_DAYS,
            &durables(),
            STEP
        )
        .execute(&self.pool)
        .await?;
        sqlx::query!(
            "
            delete from inbox
            where (consumer, message_key) in (
                select consumer, message_key
                from inbox
                where handled_at < now() - make_interval(days => $1)
                limit $2
            )
            ",
            KEEP_INBOX_DAYS,
            STEP
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
