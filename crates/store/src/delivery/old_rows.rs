//! Removes what delivery does not need any more: events that were published long ago, inbox rows
//! whose messages no stream can deliver again.

use delivery::CONSUMERS;

use crate::{Store, StoreError, delivery::subjects::like_patterns};

/// Rows per statement, so that no lock lasts long.
const STEP: i64 = 5_000;

/// How long rows of delivery are kept, in days.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryRetention {
    /// Published events.
    pub published_days: i32,
    /// Published work that nobody has handled yet.
    pub unhandled_days: i32,
    /// Inbox rows.
    pub inbox_days: i32,
}

/// The consumers that handle what the outbox sends: with them the primary key of `inbox` finds a
/// message.
pub(crate) fn durables() -> Vec<String> {
    CONSUMERS.iter().map(|consumer| consumer.durable.to_owned()).collect()
}

impl Store {
    /// Removes old events and inbox rows, one step of each. `work`: the subjects of the streams of
    /// work, whose messages a consumer handles. Returns whether there may be more to remove.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn prune(
        &self,
        work: &[String],
        keep: DeliveryRetention,
    ) -> Result<bool, StoreError> {
        let events = sqlx::query!(
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
            keep.published_days,
            &like_patterns(work),
            keep.unhandled_days,
            &durables(),
            STEP
        )
        .execute(&self.pool)
        .await?;
        let handled = sqlx::query!(
            "
            delete from inbox
            where (consumer, message_key) in (
                select consumer, message_key
                from inbox
                where handled_at < now() - make_interval(days => $1)
                limit $2
            )
            ",
            keep.inbox_days,
            STEP
        )
        .execute(&self.pool)
        .await?;
        let full = STEP.unsigned_abs();
        Ok(events.rows_affected() == full || handled.rows_affected() == full)
    }
}
