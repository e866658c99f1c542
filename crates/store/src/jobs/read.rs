//! Jobs and runs as tables show them.

use serde_json::Value;
use time::OffsetDateTime;

use crate::{Store, StoreError};

/// A job as a table shows it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct JobRow {
    /// Its name.
    pub name: String,
    /// What it does.
    pub action: String,
    /// With what.
    pub payload: Value,
    /// Cron expression.
    pub schedule: String,
    /// IANA time zone.
    pub timezone: String,
    /// skip, run_after or run_before.
    pub dst_gap: String,
    /// first, second or both.
    pub dst_overlap: String,
    /// skip, queue_one, queue_all, allow or cancel_other.
    pub overlap_policy: String,
    /// Seconds.
    pub catch_up_secs: i32,
    /// Missed times that run.
    pub catch_up_max: i32,
    /// Times that this schedule matches do not run.
    pub exclusions: Option<String>,
    /// Seconds that a nominal time may fire later.
    pub jitter_secs: i32,
    /// Runs after which it ends.
    pub max_runs: Option<i32>,
    /// Runs so far that count against `max_runs`.
    pub runs_done: i64,
    /// No nominal time before it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub starts_at: Option<OffsetDateTime>,
    /// No nominal time after it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ends_at: Option<OffsetDateTime>,
    /// Seconds without a success after which `overdue` is said.
    pub overdue_after_secs: Option<i32>,
    /// Since when it is overdue.
    #[serde(with = "time::serde::rfc3339::option")]
    pub overdue_since: Option<OffsetDateTime>,
    /// Seconds without a sign after which a run is lost.
    pub lost_after_secs: i32,
    /// How often a lost run begins anew.
    pub lost_retries: i32,
    /// Failed runs in a row after which it pauses itself.
    pub pause_after_failures: Option<i32>,
    /// Whether it fires.
    pub enabled: bool,
    /// Why it is paused, or why it cannot fire.
    pub note: Option<String>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// When it fires again by itself.
    #[serde(with = "time::serde::rfc3339::option")]
    pub paused_until: Option<OffsetDateTime>,
    /// Grows by one per edit.
    pub revision: i64,
    /// The last runs, newest first, by their status.
    pub history: Vec<String>,
    /// Next nominal time.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_at: Option<OffsetDateTime>,
    /// When it ran last.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_fired_at: Option<OffsetDateTime>,
    /// How that ended.
    pub last_status: Option<String>,
}

/// A run as a table shows it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RunRow {
    /// Its id.
    pub run_id: String,
    /// Its job, or `manual`.
    pub job: String,
    /// Nominal time, or when it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub scheduled_for: OffsetDateTime,
    /// What made it begin.
    pub trigger_type: String,
    /// Who asked for it, where somebody did.
    pub requested_by: Option<String>,
    /// 1, and one more for every lost run before it.
    pub attempts: i32,
    /// waiting, queued, running, succeeded, partial, failed, skipped, cancelled or lost.
    pub status: String,
    /// When it was claimed.
    #[serde(with = "time::serde::rfc3339")]
    pub fired_at: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// Unique movies looked at.
    pub checked: i64,
    /// Already there.
    pub skipped: i64,
    /// Ingested or refreshed.
    pub done: i64,
    /// Dead letters.
    pub failed: i64,
    /// Beyond `max_movies`.
    pub not_needed: i64,
    /// Ended by a cancel.
    pub cancelled: i64,
    /// Items still open.
    pub pending: i64,
    /// TMDB calls made for it.
    pub tmdb_calls: i64,
    /// Milliseconds from start to end, or until now.
    pub duration_ms: i64,
    /// What went wrong, or why it did not run.
    pub error: Option<String>,
}

impl RunRow {
    /// Items that are settled.
    #[must_use]
    pub const fn settled(&self) -> i64 {
        self.done + self.failed + self.cancelled
    }

    /// Items per second so far.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts and spans stay far below 2^53")]
    pub fn rate(&self) -> f64 {
        if self.duration_ms > 0 {
            self.settled() as f64 * 1_000.0 / self.duration_ms as f64
        } else {
            0.0
        }
    }

    /// Seconds until its last item at the rate so far; `None`: over, or nothing to go by.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn eta_secs(&self) -> Option<f64> {
        (self.ended_at.is_none() && self.pending > 0 && self.rate() > 0.0)
            .then(|| self.pending as f64 / self.rate())
    }
}

impl Store {
    /// All jobs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn jobs(&self) -> Result<Vec<JobRow>, StoreError> {
        let rows = sqlx::query_as!(
            JobRow,
            r#"select j.name, j.action, j.payload, j.schedule, j.timezone, j.enabled, j.dst_gap, j.dst_overlap, j.overlap_policy, j.catch_up_secs,
                j.catch_up_max, j.exclusions, j.jitter_secs, j.max_runs, j.runs_done, j.starts_at, j.ends_at, j.overdue_after_secs, j.overdue_since,
                j.lost_after_secs, j.lost_retries, j.pause_after_failures, j.note, j.paused_by, j.paused_until, j.revision,
                array(select status from job_run where job = j.name order by scheduled_for desc limit 30) as "history!: Vec<String>",
                nullif(j.next_at, 'infinity') as next_at, r.fired_at as "last_fired_at?", r.status as "last_status?"
            from job j left join lateral (
                select fired_at, status from job_run where job = j.name and status <> 'skipped' order by fired_at desc limit 1) r on true
            order by j.name"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Latest runs first, of one job or of all; or one run by its id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn runs(
        &self,
        job: Option<&str>,
        run: Option<&str>,
        limit: i64,
    ) -> Result<Vec<RunRow>, StoreError> {
        let rows = sqlx::query_as!(
            RunRow,
            r#"select run_id, job, scheduled_for, trigger_type, requested_by, attempts, status, fired_at, ended_at, checked, skipped, done, failed,
                not_needed, cancelled, pending,
                (select count(*) from tmdb_api_logs l where l.run_id = r.run_id) as "tmdb_calls!",
                (extract(epoch from coalesce(ended_at, now()) - coalesce(started_at, fired_at)) * 1000)::bigint as "duration_ms!",
                coalesce(error, reason) as error
            from job_run r where ($1::text is null or job = $1) and ($2::text is null or run_id = $2)
            order by fired_at desc, scheduled_for desc limit $3"#,
            job,
            run,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }
}
