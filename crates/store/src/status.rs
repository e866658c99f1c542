//! The state of everything, for people.

use crate::{BudgetRow, Store, StoreError, UnreadableJob};

/// Movies of one freshness band.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Band {
    /// Its name in `staleness_policy`.
    pub band: String,
    /// Days that its movies may go unread.
    pub interval_days: i32,
    /// Movies in it.
    pub titles: i64,
    /// Of these, how many are within the policy.
    pub fresh: i64,
}

/// The state of everything.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Status {
    /// Movies that TMDB still has.
    pub titles: i64,
    /// Of these, within the policy.
    pub fresh: i64,
    /// Tombstones.
    pub removed: i64,
    /// By band.
    pub bands: Vec<Band>,
    /// Queue rows that wait.
    pub queued: i64,
    /// Queue rows in hand.
    pub processing: i64,
    /// Runs that are not over.
    pub open_runs: i64,
    /// Events not yet published.
    pub outbox: i64,
    /// Dead letters, all.
    pub dead_letters: i64,
    /// TMDB calls within the last hour.
    pub calls_last_hour: i64,
    /// Of these, answered with an error, or not at all.
    pub errors_last_hour: i64,
    /// Of these, refused with 429.
    pub refused_last_hour: i64,
    /// The TMDB budget.
    pub budget: BudgetRow,
    /// Jobs that are paused because their schedule cannot be read.
    pub unreadable_jobs: Vec<UnreadableJob>,
}

impl Store {
    /// Counts everything.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn status(&self) -> Result<Status, StoreError> {
        let bands = sqlx::query_as!(
            Band,
            r#"with by_days as (
                select calculate_staleness_days(release_date, coalesce(last_refreshed_at, now())) as days, release_date is null as unknown,
                    count(*) as titles, count(*) filter (where due_at > now()) as fresh
                from works where removed_at is null group by 1, 2)
            select p.band, p.interval_days, coalesce(sum(d.titles), 0)::bigint as "titles!", coalesce(sum(d.fresh), 0)::bigint as "fresh!"
            from staleness_policy p left join by_days d on d.days = p.interval_days and d.unknown = p.applies_to_unknown
            group by p.band, p.interval_days, p.max_age_days order by p.max_age_days nulls last"#
        )
        .fetch_all(&self.pool)
        .await?;
        let row = sqlx::query!(
            r#"select
                (select count(*) from works where removed_at is null) as "titles!",
                (select count(*) from works where removed_at is null and due_at > now()) as "fresh!",
                (select count(*) from works where removed_at is not null) as "removed!",
                (select count(*) from refresh_queue where status = 'queued') as "queued!",
                (select count(*) from refresh_queue where status = 'processing') as "processing!",
                (select count(*) from job_run where status in ('queued', 'running')) as "open_runs!",
                (select count(*) from outbox where published_at is null) as "outbox!",
                (select count(*) from dead_letter where replayed_as is null) as "dead_letters!",
                (select count(*) from tmdb_api_logs where created_at > now() - interval '1 hour') as "calls!",
                (select count(*) from tmdb_api_logs where created_at > now() - interval '1 hour' and (http_status is null or http_status >= 400)) as "errors!",
                (select count(*) from tmdb_api_logs where created_at > now() - interval '1 hour' and http_status = 429) as "refused!""#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Status {
            titles: row.titles,
            fresh: row.fresh,
            removed: row.removed,
            bands,
            queued: row.queued,
            processing: row.processing,
            open_runs: row.open_runs,
            outbox: row.outbox,
            dead_letters: row.dead_letters,
            calls_last_hour: row.calls,
            errors_last_hour: row.errors,
            refused_last_hour: row.refused,
            budget: self.budget().await?,
            unreadable_jobs: self.unreadable_jobs().await?,
        })
    }
}
