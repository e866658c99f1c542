//! Jobs and their runs: what ran when and how it ended, and rows put there by hand.

use super::{Any, Lock};
use crate::database::{Database, Rows, quoted};

/// Rows of `job`.
#[derive(Debug, Clone, Copy)]
pub enum Jobs {}

/// Rows of `job_run`.
#[derive(Debug, Clone, Copy)]
pub enum Runs {}

/// What the app sees of the runs of lists, with the run that each is of: both have the time of one
/// transaction.
const LIST_RUNS: &str = "(
    select l.*, r.run_id, r.not_needed, r.error
    from scheduled_ingestion_log l
    join job_run r on r.action = 'ingest' and r.ended_at = l.created_at
) as list_runs";

/// Rows of `scheduled_ingestion_log`: runs that bring in lists.
#[derive(Debug, Clone, Copy)]
pub enum ListRuns {}

/// Rows of `job_audit`.
#[derive(Debug, Clone, Copy)]
pub enum Audit {}

impl Database {
    /// All jobs.
    pub fn jobs(&self) -> Rows<'_, Jobs> {
        self.rows("job")
    }

    /// The job of this name.
    pub fn job(&self, name: &str) -> Rows<'_, Jobs> {
        self.jobs().and(format!("name = '{name}'"))
    }

    /// The job as the view for the app shows it.
    pub fn job_status(&self, name: &str) -> Rows<'_, Any> {
        self.rows("job_status").and(format!("jobname = '{name}'"))
    }

    /// The note that somebody left on the job.
    pub async fn note_of(&self, job: &str) -> String {
        self.value(&format!("select coalesce(note, '') from job where name = '{job}'")).await
    }

    /// How many times the job was edited.
    pub async fn revision_of(&self, job: &str) -> i64 {
        self.value(&format!("select revision::bigint from job where name = '{job}'")).await
    }

    /// Whether all jobs are held.
    pub fn holds(&self) -> Rows<'_, Any> {
        self.rows("job_hold").and("held")
    }

    /// What people did to jobs.
    pub fn audit(&self) -> Rows<'_, Audit> {
        self.rows("job_audit")
    }

    /// All runs.
    pub fn runs(&self) -> Rows<'_, Runs> {
        self.rows("job_run")
    }

    /// The runs of this job.
    pub fn run(&self, job: &str) -> Rows<'_, Runs> {
        self.runs().and(format!("job = '{job}'"))
    }

    /// The runs of all jobs whose names begin so.
    pub fn runs_of_jobs_like(&self, prefix: &str) -> Rows<'_, Runs> {
        self.runs().and(format!("job like '{prefix}%'"))
    }

    /// The run with this id.
    pub fn run_with_id(&self, run_id: &str) -> Rows<'_, Runs> {
        self.runs().and(format!("run_id = '{run_id}'"))
    }

    /// The run, where the view for the app shows that it succeeded.
    pub fn succeeded_runs_for_the_app(&self, run_id: &str) -> Rows<'_, Any> {
        self.rows("job_run_details").and(format!("runid = '{run_id}'")).and("status = 'succeeded'")
    }

    /// Runs that bring in lists.
    pub fn list_runs(&self) -> Rows<'_, ListRuns> {
        self.rows(LIST_RUNS)
    }

    /// What the app reads about the last scan.
    pub fn last_scans(&self) -> Rows<'_, Any> {
        self.rows("sync_state")
            .and("sync_type = 'daily_refresh_stale'")
            .and("last_sync_at is not null")
    }

    /// Pairs of runs of the job that worked at the same time.
    pub fn runs_at_the_same_time(&self, job: &str) -> Rows<'_, Any> {
        self.rows(
            "job_run a
             join job_run b on a.job = b.job
               and a.run_id < b.run_id
               and a.started_at < b.ended_at
               and b.started_at < a.ended_at",
        )
        .and(format!("a.job = '{job}'"))
        .and("a.started_at is not null")
        .and("b.started_at is not null")
    }

    /// A run of the job that is under way for ever.
    pub async fn add_endless_run(&self, run_id: &str, job: &str, action: &str) {
        self.execute(&format!(
            "insert into job_run (run_id, job, action, scheduled_for, trigger_type, status)
             values ('{run_id}', '{job}', '{action}', now() - interval '300 days', 'manual',
                 'running')"
        ))
        .await;
    }

    /// The run ends well, without having done anything.
    pub async fn end_run(&self, run_id: &str) {
        self.execute(&format!(
            "update job_run
             set status = 'succeeded', ended_at = now()
             where run_id = '{run_id}'"
        ))
        .await;
    }

    /// The run never was.
    pub async fn delete_run(&self, run_id: &str) {
        self.execute(&format!("delete from job_run where run_id = '{run_id}'")).await;
    }

    /// Nothing has happened to the open runs of this job for so long.
    pub async fn nothing_happened_to_runs_of(&self, job: &str, secs: i32) {
        self.execute(&format!(
            "update job_run
             set touched_at = now() - interval '{secs} seconds'
             where job = '{job}'
               and ended_at is null"
        ))
        .await;
    }

    /// Somebody holds this job.
    pub async fn hold_job(&self, name: &str) -> Lock {
        self.hold(&format!("select from job where name = {} for update", quoted(name))).await
    }

    /// How long the ticks of these jobs left after their nominal times, in seconds, sorted.
    pub async fn delays_of_ticks(&self, prefix: &str) -> Vec<f64> {
        self.values(&format!(
            "select extract(epoch from o.published_at - r.scheduled_for)::float8
             from job_run r
             join outbox o on o.message_id = 'tick:' || r.run_id
             where r.job like '{prefix}%'
             order by 1"
        ))
        .await
    }
}

impl Rows<'_, Jobs> {
    /// Running at their times.
    pub fn enabled(self) -> Self {
        self.and("enabled")
    }

    /// Paused.
    pub fn paused(self) -> Self {
        self.and("not enabled")
    }

    /// Paused by the scheduler itself.
    pub fn paused_by_the_scheduler(self) -> Self {
        self.and("not enabled").and("paused_by = 'mangoes'")
    }

    /// With a note that begins so.
    pub fn with_note_like(self, beginning: &str) -> Self {
        self.and(format!("note like '{beginning}%'"))
    }

    /// With this note.
    pub fn with_note(self, note: &str) -> Self {
        self.and(format!("note = '{note}'"))
    }

    /// With a schedule that the scheduler cannot read.
    pub fn unreadable(self) -> Self {
        self.and("schedule_error is not null")
    }

    /// With a schedule that the scheduler cannot read, and says so with this word.
    pub fn unreadable_as(self, word: &str) -> Self {
        self.and(format!("schedule_error like '%{word}%'"))
    }

    /// With a schedule that the scheduler can read.
    pub fn readable(self) -> Self {
        self.and("schedule_error is null")
    }

    /// With a next nominal time.
    pub fn with_a_next_time(self) -> Self {
        self.and("next_at < 'infinity'")
    }

    /// The scheduler has not seen them yet.
    pub fn without_a_next_time(self) -> Self {
        self.and("next_at is null")
    }

    /// Whose next nominal time is to come.
    pub fn next_in_the_future(self) -> Self {
        self.and("next_at > now()")
    }

    /// Whose next nominal time is today or tomorrow at this time of day, UTC.
    pub fn next_at(self, time_of_day: &str) -> Self {
        self.and(format!(
            "next_at at time zone 'UTC' = (now() at time zone 'UTC')::date
               + time '{time_of_day}'
               + case when (now() at time zone 'UTC')::time >= '{time_of_day}'
                   then interval '1 day' else interval '0' end"
        ))
    }
}

impl Rows<'_, Audit> {
    /// About this job.
    pub fn about(self, job: &str) -> Self {
        self.and(format!("job = '{job}'"))
    }

    /// Of this person.
    pub fn by(self, whom: &str) -> Self {
        self.and(format!("by_whom = '{whom}'"))
    }

    /// Of the request with this id.
    pub fn of_request(self, id: &str) -> Self {
        self.and(format!("request_id = '{id}'"))
    }

    /// With the job before and after.
    pub fn with_before_and_after(self) -> Self {
        self.and("before is not null").and("after is not null")
    }

    /// Of jobs that had this schedule before.
    pub fn scheduled_before_as(self, schedule: &str) -> Self {
        self.and(format!("before ->> 'schedule' = '{schedule}'"))
    }
}

impl Rows<'_, ListRuns> {
    /// Of this source of lists.
    pub fn of(self, source: &str) -> Self {
        self.and(format!("source = '{source}'"))
    }

    /// Of this run.
    pub fn of_run(self, run_id: &str) -> Self {
        self.and(format!("run_id = '{run_id}'"))
    }

    /// Begun by a person or an app.
    pub fn manual(self) -> Self {
        self.and("trigger_type = 'manual'")
    }

    /// That brought in so many movies.
    pub fn ingested(self, movies: i64) -> Self {
        self.and(format!("movies_ingested = {movies}"))
    }

    /// That brought in so many movies at least, or had them.
    pub fn ingested_or_skipped_at_least(self, movies: i64) -> Self {
        self.and(format!("movies_ingested + movies_skipped >= {movies}"))
    }

    /// That looked at so many movies at least.
    pub fn checked_at_least(self, movies: i64) -> Self {
        self.and(format!("movies_checked >= {movies}"))
    }

    /// The most movies that one of them skipped.
    pub fn most_skipped(self) -> Self {
        self.number("max(movies_skipped)")
    }

    /// Whose counts add up.
    pub fn that_add_up(self) -> Self {
        self.and(
            "movies_checked =
               movies_skipped + movies_ingested + movies_failed + not_needed",
        )
    }

    /// That were cancelled half-way, by somebody with this note.
    pub fn cancelled(self, note: &str) -> Self {
        self.and(format!("error_message like 'cancelled by%{note}'"))
    }

    /// Without an error.
    pub fn without_error(self) -> Self {
        self.and("error is null")
    }

    /// With a count that is null.
    pub fn without_a_count(self) -> Self {
        self.and("(movies_failed is null or movies_skipped is null)")
    }
}
