//! What a lost stream held is published again. Above the rooms: events, lists and the refresh queue
//! take part.

use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    catalogue::stale_events,
    db::deadline::{SHORT, within},
    delivery::{old_rows::durables, subjects::like_patterns},
};

/// Events that are marked as unsent in one step.
const MARKED_AT_ONCE: i64 = 20_000;

/// A stream as the broker has it.
#[derive(Debug, Clone, Copy)]
pub struct StreamGeneration<'a> {
    pub stream: &'a str,
    /// When the broker created it; another time than before means that the old one is lost.
    pub created_at: &'a str,
    /// What it takes; may have wildcards.
    pub subjects: &'a [String],
}

impl StreamGeneration<'_> {
    fn takes(&self, prefix: &str) -> bool {
        self.subjects.iter().any(|subject| subject.starts_with(prefix))
    }
}

/// A step of marking.
struct MarkStep {
    marked: i64,
    /// The largest number that was marked; `None`: none was left.
    last: Option<i64>,
}

impl Store {
    /// Compares a stream with the generation that was published into. If the stream was recreated,
    /// the kept events are unsent again, with the same message ids; a consumer that handled one
    /// before meets its inbox row. Returns how many. `work`: the subjects of the streams of work,
    /// whose messages a consumer handles.
    ///
    /// A million events take a while. They are marked in steps, the oldest first, and the
    /// generation is recorded when all are marked, so that after a crash another process does it
    /// again.
    ///
    /// # Errors
    /// When the database does not answer; the generation is not recorded then.
    pub async fn record_generation(
        &self,
        stream: StreamGeneration<'_>,
        work: &[String],
    ) -> Result<u64, StoreError> {
        let known = sqlx::query_scalar!(
            "
            select created_at
            from stream_generation
            where stream = $1
            ",
            stream.stream
        );
        let known = within(SHORT, async { Ok(known.fetch_optional(&self.pool).await?) }).await?;
        if known.as_deref() == Some(stream.created_at) {
            return Ok(0);
        }
        let is_recreated = known.is_some();
        let again = if is_recreated { self.mark_unsent(stream.subjects, work).await? } else { 0 };
        within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            record(&mut tx, stream).await?;
            if is_recreated && stream.takes("movies.ingest.") {
                // Lists that somebody asked for are lost too; their runs remember them.
                sqlx::query!(r#"select lists_again() as "n!""#).fetch_one(&mut *tx).await?;
            }
            if is_recreated && stream.takes("movies.stale.") {
                stale_events::send_again(&mut tx).await?;
            }
            Ok(tx.commit().await?)
        })
        .await?;
        Ok(again)
    }

    /// Marks published events on these subjects as unsent. Work that is done needs no second
    /// message.
    async fn mark_unsent(&self, subjects: &[String], work: &[String]) -> Result<u64, StoreError> {
        let (subjects, work) = (like_patterns(subjects), like_patterns(work));
        let (mut after, mut marked) = (0, 0);
        loop {
            let step = sqlx::query_as!(
                MarkStep,
                r#"
                with lost as (
                    select id
                    from outbox o
                    where id > $4
                        and published_at is not null
                        and subject like any ($1)
                        and (
                            subject not like all ($2)
                            or not exists (
                                select 1
                                from inbox i
                                where i.consumer = any ($3) and i.message_key = o.message_id
                            )
                        )
                    order by id
                    limit $5
                ),
                marked as (
                    update outbox o
                    set published_at = null
                    from lost
                    where o.id = lost.id
                    returning o.id
                )
                select count(*) as "marked!", max(id) as last
                from marked
                "#,
                &subjects,
                &work,
                &durables(),
                after,
                MARKED_AT_ONCE
            );
            // The last step looks through all that is left and finds nothing: it may take long.
            let step =
                self.while_seen_at_work(async { Ok(step.fetch_one(&self.pool).await?) }).await?;
            marked += step.marked;
            match step.last {
                Some(last) => after = last,
                None => return Ok(u64::try_from(marked).unwrap_or(0)),
            }
        }
    }
}

async fn record(tx: &mut PgConnection, stream: StreamGeneration<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "
        insert into stream_generation (stream, created_at)
        values ($1, $2)
        on conflict (stream) do update set
            created_at = excluded.created_at,
            noted_at = now()
        ",
        stream.stream,
        stream.created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}
