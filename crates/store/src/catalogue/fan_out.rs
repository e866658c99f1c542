//! What the pages of a list held: new titles are ingested, due ones are refreshed.

use delivery::MessageRef;
use proto::{IngestMovie, ListSource, TmdbId, TraceId};
use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    catalogue::stale_events::{self, LISTED, Wanted},
    db::transaction,
    delivery::{
        attempts::claim_one,
        outbox::{self, Entry, Envelope},
    },
    jobs::{items, runs::RunRef},
};

/// What a list's pages held.
#[derive(Debug, Clone)]
pub struct FanOut {
    pub source: ListSource,
    /// New titles, which are ingested.
    pub wanted: Vec<TmdbId>,
    /// How many titles the catalogue has.
    pub skipped: i64,
    /// Those of them that are due; they are refreshed.
    pub due: Vec<TmdbId>,
    /// How many rows for adults were left out.
    pub adult: i64,
    /// How many new titles are beyond `max_movies`.
    pub not_needed: i64,
    /// The trace of the message that asked for the list.
    pub trace: Option<TraceId>,
}

impl Store {
    /// Writes the run's items, a `movies.ingest.listed` for each, and the due titles into the
    /// refresh queue; closes the run if nothing is to be done. One transaction with the inbox row:
    /// after a crash before it the list is read again, after it nothing is left to do.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn fan_out(
        &self,
        message: &MessageRef,
        run: &RunRef,
        list: &FanOut,
    ) -> Result<(), StoreError> {
        self.while_seen_at_work(async {
            let mut tx = self.pool.begin().await?;
            if !claim_one(&mut tx, message).await? {
                return Ok(());
            }
            if items::is_open(&mut tx, &run.run_id).await?
                && !has_read(&mut tx, &run.run_id, list.source).await?
            {
                write(&mut tx, run, list).await?;
            }
            tx.commit().await?;
            Ok(())
        })
        .await
    }
}

/// Whether the run has read this list before: it was sent again while the first message was in
/// flight.
async fn has_read(
    tx: &mut PgConnection,
    run_id: &str,
    source: ListSource,
) -> Result<bool, StoreError> {
    let read = sqlx::query_scalar!(
        "
        select run_id
        from job_run
        where run_id = $1 and checked > 0 and payload ->> 'source' = $2
        ",
        run_id,
        source.as_str()
    );
    Ok(read.fetch_optional(tx).await?.is_some())
}

async fn write(tx: &mut PgConnection, run: &RunRef, list: &FanOut) -> Result<(), StoreError> {
    let pending = add_items(tx, run, list).await?;
    let now = transaction::time_of(tx).await?;
    let ingest = |movie: &TmdbId| {
        let run_id = Some(run.run_id.clone());
        let event = IngestMovie { tmdb_id: *movie, run_id, force: false };
        let envelope = Envelope {
            message_id: format!("{}:{movie}", run.run_id),
            ordering_key: movie.to_string(),
            trace: list.trace.as_ref(),
            cause: &run.run_id,
            at: now,
        };
        Entry::new(&event, envelope)
    };
    let entries: Vec<Entry> = list.wanted.iter().map(ingest).collect();
    outbox::enqueue(tx, &entries).await?;
    let due: Vec<i64> = list.due.iter().map(|id| id.get()).collect();
    let wanted = Wanted { reason: LISTED, release: true };
    let queued = stale_events::enqueue_known(tx, &due, wanted).await?;
    tracing::debug!(run.id = %run.run_id, queued, "due titles of the list were queued");
    if pending == 0 {
        items::close(tx, &run.run_id).await?;
    }
    Ok(())
}

/// Returns how many items of the run are pending.
async fn add_items(tx: &mut PgConnection, run: &RunRef, list: &FanOut) -> Result<i64, StoreError> {
    let movies: Vec<i64> = list.wanted.iter().map(|id| id.get()).collect();
    let pending = sqlx::query_scalar!(
        "
        with added as (
            insert into job_run_item (run_id, tmdb_id)
            select $1, t
            from unnest($2::bigint[]) as t
            on conflict do nothing
            returning 1
        ),
        counted as (
            select count(*) as n
            from added
        )
        update job_run
        set checked = checked + n + $3 + $4 + $6,
            skipped = skipped + $3 + $6,
            not_needed = not_needed + $4,
            pending = pending + n,
            payload = payload || jsonb_build_object('source', $5::text)
                || case when $6 > 0 then jsonb_build_object('adult_left_out', $6) else '{}' end,
            touched_at = now()
        from counted
        where run_id = $1
        returning pending
        ",
        run.run_id.as_str(),
        &movies,
        list.skipped,
        list.not_needed,
        list.source.as_str(),
        list.adult
    );
    Ok(pending.fetch_one(tx).await?)
}
