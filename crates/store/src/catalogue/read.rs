//! Movies as people and lists read them.

use proto::TmdbId;
use time::OffsetDateTime;

use crate::{
    Store, StoreError,
    db::{
        deadline::{SHORT, within},
        row::Row,
    },
};

/// A movie's state.
#[derive(Debug, Clone, serde::Serialize)]
pub struct MovieRow {
    pub work_id: i64,
    pub tmdb_id: String,
    pub title: String,
    /// pending, ingesting, complete or failed.
    pub ingestion_status: String,
    /// `YYYY-MM-DD`.
    pub release_date: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_refreshed_at: Option<OffsetDateTime>,
    /// When it is due.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    /// Days between two refreshes.
    pub interval_days: i32,
    pub is_stale: bool,
    /// Real changes so far.
    pub revision: i64,
    /// Failed refreshes in a row.
    pub failures: i32,
    /// Scans leave it alone until then.
    #[serde(with = "time::serde::rfc3339::option")]
    pub hold_until: Option<OffsetDateTime>,
    /// When TMDB first answered 404.
    #[serde(with = "time::serde::rfc3339::option")]
    pub missing_since: Option<OffsetDateTime>,
    /// When it became a tombstone.
    #[serde(with = "time::serde::rfc3339::option")]
    pub removed_at: Option<OffsetDateTime>,
    /// The status of its latest queue row.
    pub queue_status: Option<String>,
    /// The error of its latest queue row.
    pub last_error: Option<String>,
}

/// An entry of a movie's timeline.
#[derive(Debug, Clone, serde::Serialize)]
pub struct WorkEvent {
    /// created, updated, missing or removed.
    pub kind: String,
    /// What asked for it.
    pub cause: Option<String>,
    /// The movie's revision after it.
    pub revision: i64,
    /// Field by field, old and new.
    pub diff: Option<serde_json::Value>,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// A movie that the catalogue has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedMovie {
    pub movie: TmdbId,
    /// True also for a tombstone: TMDB lists it again.
    pub is_due: bool,
}

impl Store {
    /// A movie's timeline, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn history(&self, id: TmdbId, limit: i64) -> Result<Vec<WorkEvent>, StoreError> {
        let events = sqlx::query_as!(
            WorkEvent,
            "
            select e.kind, e.cause, e.revision, e.diff, e.at
            from work_events e
            join works w using (work_id)
            where w.tmdb_id = $1
            order by e.at desc, e.id desc
            limit $2
            ",
            id.to_string(),
            limit
        );
        Ok(events.fetch_all(&self.pool).await?)
    }

    /// One movie; `None`: not in the catalogue.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn movie(&self, id: TmdbId) -> Result<Option<MovieRow>, StoreError> {
        let movie = sqlx::query_as!(
            MovieRow,
            r#"
            select
                w.work_id,
                w.tmdb_id as "tmdb_id!",
                coalesce(w.title, '') as "title!",
                w.ingestion_status,
                w.release_date::text as release_date,
                w.last_refreshed_at,
                w.due_at,
                calculate_staleness_days(
                    w.release_date,
                    coalesce(w.last_refreshed_at, now())
                ) as "interval_days!",
                is_stale(w.work_id) as "is_stale!",
                w.revision,
                w.failures,
                w.hold_until,
                w.missing_since,
                w.removed_at,
                q.status as "queue_status?",
                q.last_error as "last_error?"
            from works w
            left join lateral (
                select status, last_error
                from refresh_queue
                where work_id = w.work_id
                order by id desc
                limit 1
            ) q on true
            where w.tmdb_id = $1
            "#,
            id.to_string()
        );
        Ok(movie.fetch_optional(&self.pool).await?)
    }

    /// Of these movies, those that the catalogue has.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn known(&self, ids: &[TmdbId]) -> Result<Vec<ListedMovie>, StoreError> {
        let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let rows = sqlx::query!(
            r#"
            select
                work_id,
                tmdb_id as "tmdb_id!",
                (due_at <= now() or removed_at is not null) as "is_due!"
            from works
            where tmdb_id = any ($1) and ingestion_status <> 'pending'
            "#,
            &texts
        );
        let rows = within(SHORT, async { Ok(rows.fetch_all(&self.pool).await?) }).await?;
        rows.iter()
            .map(|r| {
                let movie = Row::of("works", &r.work_id).read("tmdb_id", &r.tmdb_id)?;
                Ok(ListedMovie { movie, is_due: r.is_due })
            })
            .collect()
    }
}
