//! The state of everything, for people. Above the rooms: it reads in all of them.
//!
//! A look costs the same however large the catalogue and its history are: what grows with them is
//! counted beside the looks ([`crate::sample`]).

use time::OffsetDateTime;

use crate::{
    Store, StoreError, catalogue::feed::FeedState, delivery::attempts::LongWait,
    jobs::schedule::UnreadableJob, schema::old_jobs::OldJob, upstream::budget::BudgetRow,
};

/// Movies of one freshness band.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Band {
    /// Its name in `staleness_policy`.
    pub band: String,
    /// Days between two refreshes of its movies.
    pub interval_days: i32,
    /// Movies in it.
    pub titles: i64,
    /// Movies in it that are not due.
    pub fresh: i64,
}

/// The state of everything.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Status {
    /// When titles, bands and tombstones were counted; `None`: never yet.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub counted_at: Option<OffsetDateTime>,
    /// Movies that TMDB still has.
    pub titles: i64,
    /// Those of them that are not due.
    pub fresh: i64,
    /// Tombstones.
    pub removed: i64,
    /// Titles of which no answer had every part yet.
    pub incomplete: i64,
    pub bands: Vec<Band>,
    /// Queue rows that wait.
    pub queued: i64,
    /// Queue rows whose movie is in flight.
    pub processing: i64,
    /// Runs that are not over.
    pub open_runs: i64,
    /// Unsent events.
    pub outbox: i64,
    /// Dead letters that were not replayed.
    pub dead_letters: i64,
    /// TMDB calls within the last hour.
    pub calls_last_hour: i64,
    /// Those of them that were answered with an error, or not at all.
    pub errors_last_hour: i64,
    /// Those of them that were refused with 429.
    pub refused_last_hour: i64,
    pub budget: BudgetRow,
    /// TMDB's change feed.
    pub feed: FeedState,
    /// Jobs that are paused because their schedule cannot be read.
    pub unreadable_jobs: Vec<UnreadableJob>,
    /// Messages that have waited for more than an hour, by consumer.
    pub long_waits: Vec<LongWait>,
    /// Jobs of pg_cron that do what ours do, and that are still active.
    pub old_jobs: Vec<OldJob>,
}

/// What is to be done, what went wrong, and what was called.
struct Backlog {
    queued: i64,
    processing: i64,
    open_runs: i64,
    unsent: i64,
    dead_letters: i64,
    calls: i64,
    errors: i64,
    refused: i64,
}

/// What is counted beside the looks, and not by them.
struct Counted {
    at: Option<OffsetDateTime>,
    removed: i64,
    incomplete: i64,
    bands: Vec<Band>,
}

impl Store {
    /// Reads what was counted last (see [`Store::take_sample`]), and counts what is little.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn status(&self) -> Result<Status, StoreError> {
        let (counted, backlog) = (self.counted().await?, self.backlog().await?);
        Ok(Status {
            counted_at: counted.at,
            titles: counted.bands.iter().map(|band| band.titles).sum(),
            fresh: counted.bands.iter().map(|band| band.fresh).sum(),
            removed: counted.removed,
            incomplete: counted.incomplete,
            bands: counted.bands,
            queued: backlog.queued,
            processing: backlog.processing,
            open_runs: backlog.open_runs,
            outbox: backlog.unsent,
            dead_letters: backlog.dead_letters,
            calls_last_hour: backlog.calls,
            errors_last_hour: backlog.errors,
            refused_last_hour: backlog.refused,
            budget: self.budget().await?,
            feed: self.feed_state().await?,
            unreadable_jobs: self.unreadable_jobs().await?,
            long_waits: self.long_waits().await?,
            old_jobs: self.old_jobs().await?,
        })
    }

    async fn counted(&self) -> Result<Counted, StoreError> {
        let bands = sqlx::query_as!(
            Band,
            r#"
            select
                band as "band!",
                coalesce(interval_days, 0) as "interval_days!",
                titles as "titles!",
                fresh as "fresh!"
            from freshness
            order by max_age_days nulls last
            "#
        );
        let bands = bands.fetch_all(&self.pool).await?;
        let sample = sqlx::query!(
            "
            select taken_at, removed, incomplete
            from status_sample
            order by taken_at desc
            limit 1
            "
        );
        let sample = sample.fetch_optional(&self.pool).await?;
        let (removed, incomplete) =
            sample.as_ref().map_or((0, 0), |sample| (sample.removed, sample.incomplete));
        Ok(Counted { at: sample.map(|sample| sample.taken_at), removed, incomplete, bands })
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let backlog = sqlx::query_as!(
            Backlog,
            r#"
            select
                queued as "queued!",
                processing as "processing!",
                open_runs as "open_runs!",
                unsent as "unsent!",
                dead_letters as "dead_letters!",
                calls as "calls!",
                errors as "errors!",
                refused as "refused!"
            from backlog()
            "#
        );
        Ok(backlog.fetch_one(&self.pool).await?)
    }
}
