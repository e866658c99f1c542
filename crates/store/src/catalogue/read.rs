//! Movies as people and lists read them.

use std::collections::HashSet;

use proto::TmdbId;
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::{
    Store, StoreError,
    db::{
        deadline::{SHORT, within},
        group_commit::Batch,
        row::Row,
    },
};

/// A movie's state.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct MovieRow {
    pub work_id: i64,
    pub tmdb_id: i64,
    pub title: String,
    /// pending, ingesting, complete or failed.
    pub ingestion_status: String,
    /// `YYYY-MM-DD`.
    pub release_date: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub last_refreshed_at: Option<OffsetDateTime>,
    /// The freshness band of its age today, or that of movies in demand.
    pub band: String,
    /// When it is due.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub due_at: OffsetDateTime,
    /// Why: policy, demand, pin, feed or incomplete.
    pub due_cause: String,
    /// From when on it is older than it may be.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub stale_at: OffsetDateTime,
    /// So long it may go unread.
    pub interval_secs: i64,
    /// It is older than it may be.
    pub is_stale: bool,
    /// When TMDB's change feed named it, while the change has not been seen.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub told_at: Option<OffsetDateTime>,
    /// Until when it is in demand.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub demand_until: Option<OffsetDateTime>,
    /// It is read at least so often, because a person wants it.
    pub pin_every_secs: Option<i64>,
    /// Until when, where its pin has an end.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub pin_until: Option<OffsetDateTime>,
    pub pinned_by: Option<String>,
    /// Real changes so far.
    pub revision: i64,
    /// Parts that no answer had yet, as `credits`; it is asked for again within hours.
    pub lacks: Vec<String>,
    /// Failed refreshes in a row.
    pub failures: i32,
    /// Scans leave it alone until then.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub hold_until: Option<OffsetDateTime>,
    /// When TMDB first answered 404.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub missing_since: Option<OffsetDateTime>,
    /// When it became a tombstone.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub removed_at: Option<OffsetDateTime>,
    /// The status of its latest queue row.
    pub queue_status: Option<String>,
    /// The error of its latest queue row.
    pub last_error: Option<String>,
}

/// An entry of a movie's timeline.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
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
    #[schemars(with = "proto::Rfc3339")]
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
            from work_event e
            join title t using (work_id)
            where t.tmdb_id = $1::bigint
            order by e.at desc, e.id desc
            limit $2
            ",
            id.get(),
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
                t.tmdb_id::bigint as "tmdb_id!",
                coalesce(w.title, '') as "title!",
                coalesce(w.ingestion_status, 'pending') as "ingestion_status!",
                w.release_date::text as release_date,
                w.last_refreshed_at,
                t.band,
                t.due_at as "due_at!",
                t.due_cause as "due_cause!",
                t.stale_at,
                extract(epoch from f.stale_at - now())::bigint as "interval_secs!",
                (t.removed_at is null and t.stale_at <= now()) as "is_stale!",
                t.told_at,
                t.demand_until,
                extract(epoch from t.pin_every)::bigint as pin_every_secs,
                t.pin_until,
                t.pinned_by,
                t.revision,
                coalesce(t.lacks, '{}') as "lacks!",
                t.failures,
                t.hold_until,
                t.missing_since,
                t.removed_at,
                q.status as "queue_status?",
                q.last_error as "last_error?"
            from title t
            join works w using (work_id)
            cross join lateral freshness_of(
                w.release_date, now(), true, t.demand_until, t.pin_every, t.pin_until
            ) f
            left join lateral (
                select status, last_error
                from refresh_item
                where work_id = t.work_id
                order by id desc
                limit 1
            ) q on true
            where t.tmdb_id = $1::bigint
            "#,
            id.get()
        );
        Ok(movie.fetch_optional(&self.pool).await?)
    }

    /// Of these movies, those that the catalogue has.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn known(&self, ids: &[TmdbId]) -> Result<Vec<ListedMovie>, StoreError> {
        within(SHORT, known(&self.pool, ids)).await
    }

    /// Whether the catalogue has a movie that is not due. One question to the database stands for
    /// all messages that ask at the same time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_fresh(&self, movie: TmdbId) -> Result<bool, StoreError> {
        self.known.ask(movie).await
    }
}

/// Which of some movies are fresh.
pub(crate) struct KnownMovies(pub(crate) PgPool);

impl Batch for KnownMovies {
    type Request = TmdbId;
    type Answer = bool;

    async fn run(&self, movies: &[TmdbId]) -> Result<Vec<bool>, StoreError> {
        let known = known(&self.0, movies).await?;
        let fresh: HashSet<TmdbId> = known.iter().filter(|m| !m.is_due).map(|m| m.movie).collect();
        Ok(movies.iter().map(|movie| fresh.contains(movie)).collect())
    }
}

async fn known(pool: &PgPool, ids: &[TmdbId]) -> Result<Vec<ListedMovie>, StoreError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
    let rows = sqlx::query!(
        r#"
            select
                t.work_id,
                t.tmdb_id as "tmdb_id!",
                (t.due_at <= now() or t.removed_at is not null) as "is_due!"
            from title t
            join works w using (work_id)
            where t.tmdb_id = any ($1::bigint[]) and w.ingestion_status is distinct from 'pending'
            "#,
        &ids
    );
    let rows = rows.fetch_all(pool).await?;
    rows.iter()
        .map(|r| {
            let row = Row::of("title", &r.work_id);
            let movie = TmdbId::try_from(i64::from(r.tmdb_id));
            let movie = movie.map_err(|e| row.unreadable("tmdb_id", &e))?;
            Ok(ListedMovie { movie, is_due: r.is_due })
        })
        .collect()
}
