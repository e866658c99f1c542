//! Jobs and their runs (`job`, `job_run`): the scheduler's truth and history.

use proto::TriggerType;
use runtime::trial;
use serde_json::Value;
use time::OffsetDateTime;

use crate::{Store, StoreError};

/// A job as the scheduler needs it.
#[derive(Debug, Clone)]
pub struct DueJob {
    /// Its name.
    pub name: String,
    /// Cron expression.
    pub schedule: String,
    /// IANA time zone.
    pub timezone: String,
    /// skip, run_after or run_before.
    pub dst_gap: String,
    /// first, second or both.
    pub dst_overlap: String,
    /// Next nominal time; `None` after an edit.
    pub next_at: Option<OffsetDateTime>,
    /// A nominal time that was missed by more seconds than this is not made up for.
    pub catch_up_secs: i32,
    /// Of the nominal times that were missed, at most so many run.
    pub catch_up_max: i32,
    /// Times that this schedule matches do not run.
    pub exclusions: Option<String>,
    /// A nominal time fires up to so many seconds later.
    pub jitter_secs: i32,
    /// Runs that it has left.
    pub runs_left: Option<i64>,
    /// No nominal time before it.
    pub starts_at: Option<OffsetDateTime>,
    /// No nominal time after it.
    pub ends_at: Option<OffsetDateTime>,
    /// Whether it fires.
    pub enabled: bool,
    /// When it fires again by itself.
    pub paused_until: Option<OffsetDateTime>,
    /// Everything is held, and why.
    pub hold: Option<String>,
    /// Why it is paused.
    pub note: Option<String>,
    /// Grows by one per edit.
    pub revision: i64,
    /// The database's clock.
    pub now: OffsetDateTime,
}

/// What becomes of a nominal time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NominalFate {
    /// It runs, as far as the overlap policy lets it; with a note for people.
    Runs(TriggerType, Option<String>),
    /// It does not, and why.
    Skipped(String),
}

/// A nominal time that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nominal {
    /// The time.
    pub at: OffsetDateTime,
    /// What becomes of it.
    pub fate: NominalFate,
}

/// A job that does not fire because its schedule cannot be read.
#[derive(Debug, Clone, serde::Serialize)]
pub struct UnreadableJob {
    /// Its name.
    pub name: String,
    /// What is wrong with the schedule, the zone or the exclusions.
    pub reason: String,
}

/// An open run that may be lost.
#[derive(Debug, Clone)]
pub struct QuietRun {
    /// The run.
    pub run_id: String,
    /// What it does.
    pub action: String,
}

impl Store {
    /// Jobs whose time has come, or has to be computed; paused ones too, for their nominal times
    /// leave rows as well.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_jobs(&self, limit: i64) -> Result<Vec<DueJob>, StoreError> {
        let rows = sqlx::query_as!(
            DueJob,
            r#"select name, schedule, timezone, dst_gap, dst_overlap, next_at, revision, catch_up_secs, catch_up_max, exclusions, jitter_secs,
                case when max_runs is not null then greatest(max_runs - runs_done, 0) end as runs_left, starts_at, ends_at, enabled, paused_until,
                (select coalesce(note, '') from job_hold where held) as hold, note, now() as "now!"
            from job where fire_at is null or fire_at <= now() order by fire_at nulls first limit $1"#,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// When the next job fires, and in how many seconds by the database's clock: a process's own
    /// may be wrong.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_alarm(&self) -> Result<Option<(OffsetDateTime, f64)>, StoreError> {
        let row = sqlx::query!(
            r#"select min(fire_at) as at, extract(epoch from min(fire_at) - clock_timestamp())::float8 as secs from job where fire_at < 'infinity'"#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.at.zip(row.secs))
    }

    /// Ends pauses whose time is over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_pauses(&self) -> Result<(), StoreError> {
        sqlx::query!(
            "update job set enabled = true where not enabled and paused_until <= now() and (next_at > now() or next_at is null)"
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Sets the next nominal time and its jitter in seconds, unless the job was edited meanwhile.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_next(
        &self,
        job: &DueJob,
        (next, jitter): (Option<OffsetDateTime>, i32),
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "update job set next_at = coalesce($3, 'infinity'::timestamptz), jitter_offset = $4
             where name = $1 and revision = $2",
            job.name,
            job.revision,
            next,
            jitter
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Pauses a job whose schedule cannot be read, unless it was edited meanwhile or another
    /// scheduler did it. The next edit lets it go on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pause_unreadable(&self, job: &DueJob, reason: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "update job set next_at = 'infinity', jitter_offset = 0, schedule_error = $3,
                note = case when enabled then $3 else note end,
                paused_by = case when enabled then 'mangoes' else paused_by end, enabled = false
             where name = $1 and revision = $2 and schedule_error is null",
            job.name,
            job.revision,
            reason
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The jobs whose schedule cannot be read, each with the reason, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unreadable_jobs(&self) -> Result<Vec<UnreadableJob>, StoreError> {
        let jobs = sqlx::query_as!(
            UnreadableJob,
            r#"select name, schedule_error as "reason!" from job
            where schedule_error is not null order by name limit 100"#
        );
        Ok(jobs.fetch_all(&self.pool).await?)
    }

    /// Claims nominal times: a row of `job_run` for each, the tick of what runs in the outbox, and
    /// the next time with its jitter, in one transaction. However many schedulers try, one of them
    /// gets them. False: another has them, or the job was edited meanwhile.
    ///
    /// # Errors
    /// When the database does not answer; nothing is claimed then.
    pub async fn claim(
        &self,
        job: &DueJob,
        times: &[Nominal],
        (next, jitter): (Option<OffsetDateTime>, i32),
    ) -> Result<bool, StoreError> {
        let runs = times.iter().filter(|t| matches!(t.fate, NominalFate::Runs(..))).count();
        let mut tx = self.pool.begin().await?;
        let mine = sqlx::query!(
            "update job set next_at = coalesce($4, 'infinity'::timestamptz), jitter_offset = $6, runs_done = runs_done + $7
             where name = $1 and revision = $2 and (next_at = $3 or $8) and enabled = $5 returning action, payload, overlap_policy",
            job.name,
            job.revision,
            job.next_at,
            next,
            job.enabled,
            jitter,
            i64::try_from(runs).unwrap_or(i64::MAX),
            trial::without("tick-claim")
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = mine else { return Ok(false) };
        for time in times {
            match &time.fate {
                NominalFate::Skipped(reason) => {
                    skip(&mut tx, &job.name, (&row.action, &row.payload), (time.at, reason))
                        .await?;
                }
                NominalFate::Runs(trigger, note) => {
                    sqlx::query!(
                        "select outcome from job_begin($1, $2::timestamptz + case when $8 then random() * interval '1 millisecond' else interval '0' end, $3, $4, $5, $6, $7)",
                        job.name,
                        time.at,
                        trigger.as_str(),
                        row.action,
                        row.payload,
                        row.overlap_policy,
                        note.as_deref(),
                        trial::without("tick-claim")
                    )
                    .fetch_one(&mut *tx)
                    .await?;
                }
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Lets the waiting runs begin whose turn has come. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer; none begins then.
    pub async fn promote_runs(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(r#"select job_promote() as "n!""#).fetch_one(&self.pool).await?)
    }

    /// Says once of each job that had no success for longer than it says. Returns of how many.
    ///
    /// # Errors
    /// When the database does not answer; nothing is said then.
    pub async fn note_overdue(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(r#"select job_note_overdue() as "n!""#)
            .fetch_one(&self.pool)
            .await?)
    }

    /// Open runs to which nothing happened for longer than their job allows, while nothing in the
    /// database carries them: a message may, and only the broker knows.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn quiet_runs(&self) -> Result<Vec<QuietRun>, StoreError> {
        let rows = sqlx::query_as!(
            QuietRun,
            r#"select run_id as "run_id!", action as "action!" from quiet_runs() limit 100"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Ends a run that nobody works on as lost. Returns the run that begins in its place, if its
    /// job says so. `None`: something has happened to it after all.
    ///
    /// # Errors
    /// When the database does not answer; nothing is changed then.
    pub async fn lose_run(&self, run_id: &str) -> Result<Option<Option<String>>, StoreError> {
        let mut tx = self.pool.begin().await?;
        // The run first, as whoever closes it does; its job only when nobody has it.
        let run = sqlx::query!(
            r#"select job, exists (select 1 from job where name = r.job) as "of_a_job!" from job_run r where run_id = $1 for update"#,
            run_id
        );
        let Some(run) = run.fetch_optional(&mut *tx).await? else { return Ok(None) };
        let job =
            sqlx::query!("select name from job where name = $1 for update skip locked", run.job);
        if job.fetch_optional(&mut *tx).await?.is_none() && run.of_a_job {
            return Ok(None);
        }
        let quiet = sqlx::query_scalar!(
            r#"select exists (select 1 from quiet_runs() where run_id = $1) as "quiet!""#,
            run_id
        );
        if !quiet.fetch_one(&mut *tx).await? {
            return Ok(None);
        }
        let again = sqlx::query_scalar!("select run_lost($1)", run_id).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(Some(again))
    }

    /// Whether everything is held: `Some(note)`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn hold(&self) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select coalesce(note, 'no note') || ' (' || coalesce(by_whom, '?') || ')' as "note!" from job_hold where held"#
        )
        .fetch_optional(&self.pool)
        .await?)
    }
}

async fn skip(
    tx: &mut sqlx::PgConnection,
    job: &str,
    (action, payload): (&str, &Value),
    (at, reason): (OffsetDateTime, &str),
) -> Result<(), StoreError> {
    let written = sqlx::query!(
        "insert into job_run (run_id, job, action, scheduled_for, trigger_type, status, reason, ended_at, payload)
         values (run_id_of($1, $3), $1, $2, $3, 'scheduled', 'skipped', $4, now(), $5) on conflict do nothing",
        job,
        action,
        at,
        reason,
        payload
    )
    .execute(&mut *tx)
    .await?;
    if written.rows_affected() == 1 {
        sqlx::query!("select run_event(run_id_of($1, $2), 'skipped', $3)::text", job, at, reason)
            .fetch_one(&mut *tx)
            .await?;
    }
    Ok(())
}

/// The public, stable id of a run: job and nominal time, which has whole seconds.
#[must_use]
pub fn run_id(job: &str, at: OffsetDateTime) -> String {
    let format = time::format_description::well_known::Rfc3339;
    format!("{job}@{}", at.to_offset(time::UtcOffset::UTC).format(&format).unwrap_or_default())
}
