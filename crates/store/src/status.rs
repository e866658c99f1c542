//! The state of everything, for people. Above the rooms: it counts in all of them.

use crate::{
    Store, StoreError, jobs::schedule::UnreadableJob, schema::old_jobs::OldJob,
    upstream::budget::BudgetRow,
};

/// Movies of one freshness band.
#[derive(Debug, Clone, serde::Serialize)]
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
#[derive(Debug, Clone, serde::Serialize)]
pub struct Status {
    /// Movies that TMDB still has.
    pub titles: i64,
    /// Those of them that are not due.
    pub fresh: i64,
    /// Tombstones.
    pub removed: i64,
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
    /// Jobs that are paused because their schedule cannot be read.
    pub unreadable_jobs: Vec<UnreadableJob>,
    /// Jobs of pg_cron that do what ours do, and that are still active.
    pub old_jobs: Vec<OldJob>,
}

/// Rows of all rooms.
struct Counts {
    titles: i64,
    fresh: i64,
    removed: i64,
    queued: i64,
    processing: i64,
    open_runs: i64,
    outbox: i64,
    dead_letters: i64,
}

/// TMDB calls within the last hour.
struct Calls {
    all: i64,
    errors: i64,
    refused: i64,
}

impl Store {
    /// Counts everything.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn status(&self) -> Result<Status, StoreError> {
        let (counts, calls) = (self.counts().await?, self.calls().await?);
        Ok(Status {
            titles: counts.titles,
            fresh: counts.fresh,
            removed: counts.removed,
            bands: self.bands().await?,
            queued: counts.queued,
            processing: counts.processing,
            open_runs: counts.open_runs,
            outbox: counts.outbox,
            dead_letters: counts.dead_letters,
            calls_last_hour: calls.all,
            errors_last_hour: calls.errors,
            refused_last_hour: calls.refused,
            budget: self.budget().await?,
            unreadable_jobs: self.unreadable_jobs().await?,
            old_jobs: self.old_jobs().await?,
        })
    }

    async fn bands(&self) -> Result<Vec<Band>, StoreError> {
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
        Ok(bands.fetch_all(&self.pool).await?)
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let counts = sqlx::query_as!(
            Counts,
            r#"
            select
                (
                    select count(*)
                    from title
                    where removed_at is null and tmdb_id is not null
                ) as "titles!",
                (
                    select count(*)
                    from title
                    where removed_at is null and tmdb_id is not null and due_at > now()
                ) as "fresh!",
                (select count(*) from title where removed_at is not null) as "removed!",
                (select count(*) from refresh_item where status = 'queued') as "queued!",
                (
                    select count(*)
                    from refresh_item
                    where status = 'processing'
                ) as "processing!",
                (
                    select count(*)
                    from job_run
                    where status in ('queued', 'running')
                ) as "open_runs!",
                (select count(*) from outbox where published_at is null) as "outbox!",
                (select count(*) from dead_letter where replayed_as is null) as "dead_letters!"
            "#
        );
        Ok(counts.fetch_one(&self.pool).await?)
    }

    async fn calls(&self) -> Result<Calls, StoreError> {
        let calls = sqlx::query_as!(
            Calls,
            r#"
            select
                count(*) as "all!",
                count(*) filter (
                    where http_status is null or http_status >= 400
                ) as "errors!",
                count(*) filter (where http_status = 429) as "refused!"
            from tmdb_call
            where created_at > now() - interval '1 hour'
            "#
        );
        Ok(calls.fetch_one(&self.pool).await?)
    }
}
