//! Writes the `movies.stale.<lane>` events of rows of `refresh_item`, and adds the rows of a list.

use proto::{Lane, MovieStale, RunId, TmdbId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    StoreError,
    db::{row::Row, transaction},
    delivery::outbox::{self, Entry, Envelope},
    jobs::items::{self, ItemState, SettledItem},
};

/// Events that are made between two statements: a transaction must not be idle while a million are.
const ENTRIES_AT_ONCE: usize = 5_000;
/// Longest reason of an event.
const REASON_MAX_CHARS: usize = 100;
/// The reason of an event whose row names none.
const DUE: &str = "due";
/// The reason of an event whose movie is due and was found in a list.
pub(crate) const LISTED: &str = "listed";

/// A row of `refresh_item` as the database gives it.
pub(crate) struct QueueRow {
    pub(crate) id: i64,
    pub(crate) work_id: i64,
    pub(crate) tmdb_id: i64,
    pub(crate) lane: String,
    /// Why it is read again; a word for people.
    pub(crate) reason: Option<String>,
    pub(crate) run_id: Option<String>,
}

/// A row of `refresh_item` whose event goes out.
struct QueuedMovie {
    id: i64,
    work_id: i64,
    movie: TmdbId,
    lane: Lane,
    reason: String,
    run_id: Option<RunId>,
}

impl QueueRow {
    /// The app may have written anything.
    fn reason(&self) -> String {
        let reason = self.reason.as_deref().unwrap_or(DUE);
        reason.chars().take(REASON_MAX_CHARS).collect()
    }

    fn decode(&self) -> Result<QueuedMovie, StoreError> {
        let row = Row::of("refresh_item", &self.id);
        let movie = TmdbId::try_from(self.tmdb_id);
        Ok(QueuedMovie {
            id: self.id,
            work_id: self.work_id,
            movie: movie.map_err(|e| row.unreadable("tmdb_id", &e))?,
            lane: row.read("lane", &self.lane)?,
            reason: self.reason(),
            run_id: self.run_id.as_deref().map(|id| row.read("run_id", id)).transpose()?,
        })
    }
}

/// Sends the events of movies that are due; each names the run of its own row, or `run`. A row that
/// cannot be read fails alone.
pub(crate) async fn send_due(
    tx: &mut PgConnection,
    rows: &[QueueRow],
    run: Option<&RunId>,
) -> Result<(), StoreError> {
    let now = transaction::time_of(tx).await?;
    for some in rows.chunks(ENTRIES_AT_ONCE) {
        let mut entries = Vec::with_capacity(some.len());
        for row in some {
            match row.decode() {
                Ok(mut queued) => {
                    queued.run_id = queued.run_id.or_else(|| run.cloned());
                    entries.push(entry(&queued, now));
                }
                Err(error) => fail_unreadable(tx, row, &error).await?,
            }
        }
        outbox::enqueue(tx, &entries).await?;
    }
    Ok(())
}

/// Ends a row from which no event can be made: at the head of the queue it would stop everybody.
async fn fail_unreadable(
    tx: &mut PgConnection,
    row: &QueueRow,
    error: &StoreError,
) -> Result<(), StoreError> {
    let error = error.to_string();
    tracing::warn!(error, "a row of the refresh queue is given up");
    let run_id = sqlx::query_scalar!(
        "
        update refresh_item
        set status = 'failed', processed_at = now(), lease_until = null, last_error = $2
        where id = $1
        returning run_id
        ",
        row.id,
        error
    )
    .fetch_one(&mut *tx)
    .await?;
    // Only a row of a run has an item.
    let Some(run_id) = run_id else { return Ok(()) };
    let failed = SettledItem {
        run_id,
        tmdb_id: row.tmdb_id,
        state: ItemState::Failed,
        title: None,
        error: Some(error),
    };
    items::settle(tx, &[failed]).await
}

/// Why movies are queued, and whether their events go out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// A word for people.
    pub(crate) reason: &'static str,
    /// False: their events are left to the ticks of `refresh_worker`.
    pub(crate) release: bool,
}

/// Queues those of these movies that the catalogue has, in the fresh lane. They are no items of a
/// run. Returns how many were not queued before.
pub(crate) async fn enqueue_known(
    tx: &mut PgConnection,
    movies: &[i64],
    wanted: Wanted,
) -> Result<usize, StoreError> {
    let rows = sqlx::query_as!(
        QueueRow,
        r#"
        insert into refresh_item (
            work_id, tmdb_id, status, priority, queued_at, lane, reason, released_at
        )
        select work_id, tmdb_id, 'queued', $2, now(), $3, $4, case when $5 then now() end
        from title
        where tmdb_id = any ($1::bigint[])
        on conflict do nothing
        returning id, work_id as "work_id!", tmdb_id as "tmdb_id!", lane, reason, run_id
        "#,
        movies,
        Lane::Fresh.priority(),
        Lane::Fresh.as_str(),
        wanted.reason,
        wanted.release
    );
    let rows = rows.fetch_all(&mut *tx).await?;
    if wanted.release {
        send_due(tx, &rows, None).await?;
    }
    Ok(rows.len())
}

/// Sends again what people asked for. Those messages were in the lost stream alone; the queue row
/// remembers one as soon as its work began. A process that still works on one may do it twice.
pub(crate) async fn send_again(tx: &mut PgConnection) -> Result<(), StoreError> {
    let rows = sqlx::query_as!(
        QueueRow,
        r#"
        update refresh_item q
        set status = 'queued',
            lease_until = null,
            released_at = now(),
            tmdb_id = t.tmdb_id
        from title t
        where t.work_id = q.work_id
            and t.tmdb_id is not null
            and q.status in ('queued', 'processing')
            and q.lane = $1
        returning
            q.id, q.work_id as "work_id!", q.tmdb_id as "tmdb_id!", q.lane, q.reason, q.run_id
        "#,
        Lane::Now.as_str()
    )
    .fetch_all(&mut *tx)
    .await?;
    send_due(tx, &rows, None).await
}

/// The row is the cause. When it is published again, that is a new message for the same row at a
/// new time.
fn entry(queued: &QueuedMovie, now: OffsetDateTime) -> Entry {
    let event = MovieStale {
        tmdb_id: queued.movie,
        work_id: Some(queued.work_id),
        reason: queued.reason.clone(),
        queued_at: Some(now),
        queue_id: Some(queued.id),
        run_id: queued.run_id.clone(),
        lane: queued.lane,
    };
    let envelope = Envelope {
        message_id: format!("stale:{}:{}", queued.id, now.unix_timestamp()),
        ordering_key: queued.movie.to_string(),
        trace: None,
        cause: queued.run_id.as_deref().unwrap_or(&queued.reason),
        at: now,
    };
    Entry::new(&event, envelope)
}
