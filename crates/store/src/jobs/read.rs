//! Jobs and runs as people read them.

use calendar::{Gap, Overlap};
use proto::{Action, JobName, OverlapPolicy, RunState, TriggerType};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{Store, StoreError, db::row::Row};

/// A job.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct JobRow {
    pub name: JobName,
    pub action: Action,
    pub payload: Value,
    /// Cron, a macro, `every 10m`, `at …`; several are joined by `|`.
    pub schedule: String,
    /// IANA time zone.
    pub timezone: String,
    pub dst_gap: Gap,
    pub dst_overlap: Overlap,
    pub overlap_policy: OverlapPolicy,
    /// A nominal time that was missed by more seconds than this does not run.
    pub catch_up_secs: i32,
    /// Of the nominal times that were missed, at most this many run.
    pub catch_up_max: i32,
    /// Times that this schedule matches do not run.
    pub exclusions: Option<String>,
    /// A nominal time fires up to this many seconds later.
    pub jitter_secs: i32,
    /// After this many runs it ends.
    pub max_runs: Option<i32>,
    /// Runs so far that count against `max_runs`.
    pub runs_done: i64,
    /// No nominal time before it.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub starts_at: Option<OffsetDateTime>,
    /// No nominal time after it.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub ends_at: Option<OffsetDateTime>,
    /// Seconds without a success after which it is overdue.
    pub overdue_after_secs: Option<i32>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub overdue_since: Option<OffsetDateTime>,
    /// Seconds without a sign of life after which a run is lost.
    pub lost_after_secs: i32,
    /// How often a lost run begins again.
    pub lost_retries: i32,
    /// Failed runs in a row after which it pauses itself.
    pub pause_after_failures: Option<i32>,
    /// False: it is paused.
    pub enabled: bool,
    /// Why it is paused, or why it cannot fire.
    pub note: Option<String>,
    pub paused_by: Option<String>,
    /// When it fires again by itself.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub paused_until: Option<OffsetDateTime>,
    /// Grows by one with each edit.
    pub revision: i64,
    /// The last runs, newest first.
    pub history: Vec<RunState>,
    /// Next nominal time.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub next_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub last_fired_at: Option<OffsetDateTime>,
    /// The state of the run that fired last.
    pub last_status: Option<RunState>,
}

/// A run.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct RunRow {
    /// As it stands in the table: an older version wrote ids that are longer than a `RunId`.
    pub run_id: String,
    /// Its job, or `manual`.
    pub job: JobName,
    /// Nominal time, or when it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub scheduled_for: OffsetDateTime,
    pub trigger_type: TriggerType,
    /// Who asked for it, where somebody did.
    pub requested_by: Option<String>,
    /// 1, and one more for every lost run before it.
    pub attempts: i32,
    pub status: RunState,
    /// When it was claimed.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub fired_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<proto::Rfc3339>")]
    pub ended_at: Option<OffsetDateTime>,
    /// Unique movies looked at.
    pub checked: i64,
    /// Movies that were there already.
    pub skipped: i64,
    /// Movies that were ingested or refreshed.
    pub done: i64,
    /// Movies whose message is a dead letter.
    pub failed: i64,
    /// Movies beyond `max_movies`.
    pub not_needed: i64,
    /// Movies that a cancel ended.
    pub cancelled: i64,
    /// Movies that are not settled yet.
    pub pending: i64,
    /// In a list of runs no more than 10,001 are counted.
    pub tmdb_calls: i64,
    /// From start to end, or until now.
    pub duration_secs: f64,
    /// What went wrong, or why it did not run.
    pub error: Option<String>,
}

impl RunRow {
    /// In a list of runs no more calls of one are counted: a look costs the same however many there
    /// were.
    pub const CALLS_MAX: i64 = 10_000;

    /// Items that are settled.
    #[must_use]
    pub const fn settled(&self) -> i64 {
        self.done + self.failed + self.cancelled
    }

    /// Items per second so far.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts and spans stay far below 2^53")]
    pub fn rate(&self) -> f64 {
        if self.duration_secs > 0.0 { self.settled() as f64 / self.duration_secs } else { 0.0 }
    }

    /// Seconds until its last item at the rate so far; `None`: it is over, or has no rate yet.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn eta_secs(&self) -> Option<f64> {
        (self.ended_at.is_none() && self.pending > 0 && self.rate() > 0.0)
            .then(|| self.pending as f64 / self.rate())
    }
}

impl Store {
    /// All jobs, by name.
    ///
    /// # Errors
    /// When the database does not answer, or a row cannot be read.
    pub async fn jobs(&self) -> Result<Vec<JobRow>, StoreError> {
        let rows = sqlx::query!(
            r#"
            select
                j.name, j.action, j.payload, j.schedule, j.timezone, j.enabled, j.dst_gap,
                j.dst_overlap, j.overlap_policy, j.catch_up_secs, j.catch_up_max, j.exclusions,
                j.jitter_secs, j.max_runs, j.runs_done, j.starts_at, j.ends_at, j.lost_after_secs,
                j.lost_retries, j.overdue_after_secs, j.overdue_since, j.pause_after_failures,
                j.note, j.paused_by, j.paused_until, j.revision,
                array(
                    select status
                    from job_run
                    where job = j.name
                    order by scheduled_for desc
                    limit 30
                ) as "history!: Vec<String>",
                nullif(j.next_at, 'infinity') as next_at,
                r.fired_at as "last_fired_at?", r.status as "last_status?"
            from job j
            left join lateral (
                select fired_at, status
                from job_run
                where job = j.name and status <> 'skipped'
                order by fired_at desc
                limit 1
            ) r on true
            order by j.name
            "#
        );
        let rows = rows.fetch_all(&self.pool).await?;
        rows.into_iter()
            .map(|r| {
                let row = Row::of("job", &r.name);
                let runs = Row::of("job_run", &r.name);
                let state = |word: &String| runs.read("status", word);
                Ok(JobRow {
                    name: row.read("name", &r.name)?,
                    action: row.read("action", &r.action)?,
                    payload: r.payload,
                    schedule: r.schedule,
                    timezone: r.timezone,
                    dst_gap: row.read("dst_gap", &r.dst_gap)?,
                    dst_overlap: row.read("dst_overlap", &r.dst_overlap)?,
                    overlap_policy: row.read("overlap_policy", &r.overlap_policy)?,
                    catch_up_secs: r.catch_up_secs,
                    catch_up_max: r.catch_up_max,
                    exclusions: r.exclusions,
                    jitter_secs: r.jitter_secs,
                    max_runs: r.max_runs,
                    runs_done: r.runs_done,
                    starts_at: r.starts_at,
                    ends_at: r.ends_at,
                    overdue_after_secs: r.overdue_after_secs,
                    overdue_since: r.overdue_since,
                    lost_after_secs: r.lost_after_secs,
                    lost_retries: r.lost_retries,
                    pause_after_failures: r.pause_after_failures,
                    enabled: r.enabled,
                    note: r.note,
                    paused_by: r.paused_by,
                    paused_until: r.paused_until,
                    revision: r.revision,
                    history: r.history.iter().map(state).collect::<Result<_, _>>()?,
                    next_at: r.next_at,
                    last_fired_at: r.last_fired_at,
                    last_status: r.last_status.as_ref().map(state).transpose()?,
                })
            })
            .collect()
    }

    /// The latest runs, of one job or of all; or one run by its id.
    ///
    /// # Errors
    /// When the database does not answer, or a row cannot be read.
    pub async fn runs(
        &self,
        job: Option<&str>,
        run: Option<&str>,
        limit: i64,
    ) -> Result<Vec<RunRow>, StoreError> {
        let rows = sqlx::query!(
            r#"
            select
                run_id, job, scheduled_for, trigger_type, requested_by, attempts, status,
                fired_at, ended_at,
                checked, skipped, done, failed, not_needed, cancelled, pending,
                (
                    select count(*)
                    from (select from tmdb_call l where l.run_id = r.run_id limit $4) l
                ) as "tmdb_calls!",
                extract(
                    epoch from coalesce(ended_at, now()) - coalesce(started_at, fired_at)
                )::float8 as "duration_secs!",
                coalesce(error, reason) as error
            from job_run r
            where ($1::text is null or job = $1)
                and ($2::text is null or run_id = $2)
            order by fired_at desc, scheduled_for desc
            limit $3
            "#,
            job,
            run,
            limit,
            run.is_none().then_some(RunRow::CALLS_MAX + 1)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|r| {
                let row = Row::of("job_run", &r.run_id);
                Ok(RunRow {
                    job: row.read("job", &r.job)?,
                    scheduled_for: r.scheduled_for,
                    trigger_type: row.read("trigger_type", &r.trigger_type)?,
                    requested_by: r.requested_by,
                    attempts: r.attempts,
                    status: row.read("status", &r.status)?,
                    fired_at: r.fired_at,
                    ended_at: r.ended_at,
                    checked: r.checked,
                    skipped: r.skipped,
                    done: r.done,
                    failed: r.failed,
                    not_needed: r.not_needed,
                    cancelled: r.cancelled,
                    pending: r.pending,
                    tmdb_calls: r.tmdb_calls,
                    duration_secs: r.duration_secs,
                    error: r.error,
                    run_id: r.run_id,
                })
            })
            .collect()
    }
}
