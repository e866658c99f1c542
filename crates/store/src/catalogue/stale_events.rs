//! Writes the `movies.stale.<lane>` events of rows of `refresh_queue`, and adds the rows of a list.

use proto::{Lane, MovieStale, RunId, TmdbId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    StoreError,
    db::{row::Row, transaction},
    delivery::outbox::{self, Entry, Envelope},
};

/// Events that are made between two statements: a transaction must not be idle while a million are.
const ENTRIES_AT_ONCE: usize = 5_000;
/// The reason of an event whose movie is due.
const DUE: &str = "due";
/// The reason of an event whose movie is due and was found in a list.
const LISTED: &str = "listed";

/// A row of `refresh_queue` as the database gives it.
pub(crate) struct QueueRow {
    pub(crate) id: i64,
    pub(crate) work_id: i64,
    pub(crate) tmdb_id: i64,
    pub(crate) lane: String,
    pub(crate) run_id: Option<String>,
}

/// A row of `refresh_queue` whose event goes out.
pub(crate) struct QueuedMovie {
    pub(crate) id: i64,
    pub(crate) work_id: i64,
    pub(crate) movie: TmdbId,
    pub(crate) lane: Lane,
    pub(crate) run_id: Option<RunId>,
}

impl QueueRow {
    pub(crate) fn decode(&self) -> Result<QueuedMovie, StoreError> {
        let row = Row::of("refresh_queue", &self.id);
        let run_id = self.run_id.as_deref().map(|id| row.read("run_id", id)).transpose()?;
        Ok(QueuedMovie {
            id: self.id,
            work_id: self.work_id,
            movie: row.read("tmdb_id", &self.tmdb_id.to_string())?,
            lane: row.read("lane", &self.lane)?,
            run_id,
        })
    }
}

pub(crate) fn decode(rows: &[QueueRow]) -> Result<Vec<QueuedMovie>, StoreError> {
    rows.iter().map(QueueRow::decode).collect()
}

/// Sends the events of movies that are due; each names the run of its own row.
pub(crate) async fn send_due(
    tx: &mut PgConnection,
    queued: &[QueuedMovie],
) -> Result<(), StoreError> {
    let now = transaction::time_of(tx).await?;
    for some in queued.chunks(ENTRIES_AT_ONCE) {
        let entries: Vec<Entry> = some.iter().map(|movie| entry(movie, DUE, now)).collect();
        outbox::enqueue(tx, &entries).await?;
    }
    Ok(())
}

/// Queues the titles of a list that the catalogue has and that are due, in the fresh lane. They are
/// no items of the list's run.
pub(crate) async fn enqueue_listed(
    tx: &mut PgConnection,
    due: &[TmdbId],
) -> Result<usize, StoreError> {
    let ids: Vec<String> = due.iter().map(ToString::to_string).collect();
    let rows = sqlx::query_as!(
        QueueRow,
        r#"
        insert into refresh_queue (
            work_id, tmdb_id, status, priority, queued_at, lane, reason, released_at
        )
        select work_id, tmdb_id::bigint, 'queued', $2, now(), $3, $4, now()
        from works
        where tmdb_id = any ($1)
        on conflict do nothing
        returning id, work_id as "work_id!", tmdb_id as "tmdb_id!", lane, run_id
        "#,
        &ids,
        Lane::Fresh.priority(),
        Lane::Fresh.as_str(),
        LISTED
    )
    .fetch_all(&mut *tx)
    .await?;
    let now = transaction::time_of(tx).await?;
    let queued = decode(&rows)?;
    let entries: Vec<Entry> = queued.iter().map(|movie| entry(movie, LISTED, now)).collect();
    outbox::enqueue(tx, &entries).await?;
    Ok(entries.len())
}

/// Sends again what people asked for. Those messages were in the lost stream alone; the queue row
/// remembers one as soon as its work began. A process that still works on one may do it twice.
pub(crate) async fn send_again(tx: &mut PgConnection) -> Result<(), StoreError> {
    let rows = sqlx::query_as!(
        QueueRow,
        r#"
        update refresh_queue q
        set status = 'queued',
            lease_until = null,
            released_at = now(),
            tmdb_id = w.tmdb_id::bigint
        from works w
        where w.work_id = q.work_id
            and q.status in ('queued', 'processing')
            and q.lane = $1
        returning q.id, q.work_id as "work_id!", q.tmdb_id as "tmdb_id!", q.lane, q.run_id
        "#,
        Lane::Now.as_str()
    )
    .fetch_all(&mut *tx)
    .await?;
    send_due(tx, &decode(&rows)?).await
}

/// The row is the cause. When it is published again, that is a new message for the same row at a
/// new time.
fn entry(queued: &QueuedMovie, reason: &str, now: OffsetDateTime) -> Entry {
    let event = MovieStale {
        tmdb_id: queued.movie,
        work_id: Some(queued.work_id),
        reason: reason.to_owned(),
        queued_at: Some(now),
        queue_id: Some(queued.id),
        run_id: queued.run_id.clone(),
        lane: queued.lane,
    };
    let envelope = Envelope {
        message_id: format!("stale:{}:{}", queued.id, now.unix_timestamp()),
        ordering_key: queued.movie.to_string(),
        cause: queued.run_id.as_deref().unwrap_or(reason),
        at: now,
    };
    Entry::new(&event, envelope)
}
