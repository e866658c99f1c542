//! Jobs and their runs (`job`, `job_run`): the scheduler's truth and history.

use proto::{Action, Tick, TriggerType};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    Store, StoreError,
    outbox::{self, entry},
};

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
    /// It runs, unless the run before is not over.
    Runs(TriggerType),
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

/// What running by hand led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByHand {
    /// This run.
    Runs(String),
    /// Nothing: this run is not over.
    Busy(String),
}

/// What is changed of a job; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct JobEdit {
    /// What it does; only at creation.
    pub action: Option<String>,
    /// Schedule.
    pub schedule: Option<String>,
    /// IANA time zone.
    pub timezone: Option<String>,
    /// With what.
    pub payload: Option<Value>,
    /// skip, run_after or run_before.
    pub dst_gap: Option<String>,
    /// first, second or both.
    pub dst_overlap: Option<String>,
    /// skip or allow.
    pub overlap_policy: Option<String>,
    /// Seconds.
    pub catch_up_secs: Option<i32>,
    /// No nominal time before it.
    pub starts_at: Option<OffsetDateTime>,
    /// No nominal time after it.
    pub ends_at: Option<OffsetDateTime>,
    /// Failed runs in a row.
    pub pause_after_failures: Option<i32>,
}

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
    /// skip or allow.
    pub overlap_policy: String,
    /// Seconds.
    pub catch_up_secs: i32,
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
    /// What made it begin.
    pub trigger_type: String,
    /// queued, running, succeeded, partial, failed, skipped or lost.
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
    /// Items still open.
    pub pending: i64,
    /// TMDB calls made for it.
    pub tmdb_calls: i64,
    /// Milliseconds from start to end, or until now.
    pub duration_ms: i64,
    /// What went wrong.
    pub error: Option<String>,
}

impl Store {
    /// Jobs whose time has come, or has to be computed; paused ones too, for their nominal times leave rows as well.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_jobs(&self, limit: i64) -> Result<Vec<DueJob>, StoreError> {
        let rows = sqlx::query_as!(
            DueJob,
            r#"select name, schedule, timezone, dst_gap, dst_overlap, next_at, revision, catch_up_secs, starts_at, ends_at, enabled, paused_until,
                (select coalesce(note, '') from job_hold where held) as hold, note, now() as "now!"
            from job where next_at is null or next_at <= now() order by next_at nulls first limit $1"#,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// The earliest nominal time to come.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_alarm(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(sqlx::query_scalar!("select min(next_at) from job where next_at < 'infinity'").fetch_one(&self.pool).await?)
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

    /// Sets the next nominal time, unless the job was edited meanwhile.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_next(&self, job: &DueJob, next: Option<OffsetDateTime>, note: Option<&str>) -> Result<(), StoreError> {
        sqlx::query!(
            "update job set next_at = coalesce($3, 'infinity'::timestamptz), note = coalesce($4, note) where name = $1 and revision = $2",
            job.name,
            job.revision,
            next,
            note
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Claims nominal times: a row of `job_run` for each, the tick of what runs in the outbox, and the next time, in one
    /// transaction. However many schedulers try, one of them gets them. False: another has them, or the job was edited meanwhile.
    ///
    /// # Errors
    /// When the database does not answer; nothing is claimed then.
    pub async fn claim(&self, job: &DueJob, times: &[Nominal], next: Option<OffsetDateTime>) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let mine = sqlx::query!(
            "update job set next_at = coalesce($4, 'infinity'::timestamptz) where name = $1 and revision = $2 and next_at = $3 and enabled = $5
             returning action, payload, overlap_policy",
            job.name,
            job.revision,
            job.next_at,
            next,
            job.enabled
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = mine else { return Ok(false) };
        for time in times {
            let reason = match &time.fate {
                NominalFate::Skipped(reason) => Some(reason.clone()),
                NominalFate::Runs(_) if row.overlap_policy == "skip" => {
                    open_run(&mut tx, &job.name).await?.map(|run| format!("overlap: {run} is not over"))
                }
                NominalFate::Runs(_) => None,
            };
            match (&time.fate, reason) {
                (_, Some(reason)) => skip(&mut tx, &job.name, (&row.action, &row.payload), (time.at, &reason)).await?,
                (NominalFate::Runs(trigger), None) => {
                    insert_run(&mut tx, &job.name, (&row.action, row.payload.clone()), (time.at, job.now, *trigger)).await?;
                }
                (NominalFate::Skipped(_), None) => {}
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Runs a job by hand; its schedule stays as it is. `None`: no such job.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn run_job(
        &self,
        name: &str,
        payload: Option<&Value>,
        (by, force): (&str, bool),
    ) -> Result<Option<ByHand>, StoreError> {
        let mut tx = self.pool.begin().await?;
        speak_as(&mut tx, by).await?;
        let policy = sqlx::query_scalar!("select overlap_policy from job where name = $1 for update", name)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(policy) = policy else { return Ok(None) };
        if policy == "skip"
            && !force
            && let Some(run) = open_run(&mut tx, name).await?
        {
            return Ok(Some(ByHand::Busy(run)));
        }
        let run_id = sqlx::query_scalar!(r#"select mangoes_job_run($1, $2) as "id!""#, name, payload).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(Some(ByHand::Runs(run_id)))
    }

    /// Pauses a job until it is resumed, or until an instant. False: no such job.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pause_job(
        &self,
        name: &str,
        (note, until): (Option<&str>, Option<OffsetDateTime>),
        by: &str,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        speak_as(&mut tx, by).await?;
        if !known(&mut tx, name).await? {
            return Ok(false);
        }
        sqlx::query_scalar!("select mangoes_job_pause($1, $2, $3)::text", name, note, until).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Resumes a job: it goes on with the next nominal time. False: no such job.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resume_job(&self, name: &str, by: &str) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        speak_as(&mut tx, by).await?;
        if !known(&mut tx, name).await? {
            return Ok(false);
        }
        sqlx::query_scalar!("select mangoes_job_resume($1)::text", name).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Removes a job; its runs stay. False: no such job.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_job(&self, name: &str, by: &str) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        speak_as(&mut tx, by).await?;
        if !known(&mut tx, name).await? {
            return Ok(false);
        }
        sqlx::query_scalar!("select mangoes_job_unschedule($1)::text", name).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Holds all jobs, or lets them go on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn hold_jobs(&self, held: bool, note: Option<&str>, by: &str) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        speak_as(&mut tx, by).await?;
        sqlx::query_scalar!("select mangoes_jobs_hold($1, $2)::text", held, note).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Creates a job, or changes what is given of one that is there. False: it is there already, or is not, against `create`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_job(&self, name: &str, edit: &JobEdit, (create, by): (bool, &str)) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        speak_as(&mut tx, by).await?;
        if known(&mut tx, name).await? == create {
            return Ok(false);
        }
        if create {
            let (action, schedule) = (edit.action.as_deref().unwrap_or_default(), edit.schedule.as_deref().unwrap_or_default());
            sqlx::query!(
                "insert into job (name, action, schedule, timezone) values ($1, $2, $3, coalesce($4, 'UTC'))",
                name,
                action,
                schedule,
                edit.timezone
            )
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query!(
            "update job set schedule = coalesce($2, schedule), timezone = coalesce($3, timezone), payload = coalesce($4, payload),
                dst_gap = coalesce($5, dst_gap), dst_overlap = coalesce($6, dst_overlap), overlap_policy = coalesce($7, overlap_policy),
                catch_up_secs = coalesce($8, catch_up_secs), starts_at = coalesce($9, starts_at), ends_at = coalesce($10, ends_at),
                pause_after_failures = coalesce($11, pause_after_failures)
             where name = $1",
            name,
            edit.schedule,
            edit.timezone,
            edit.payload,
            edit.dst_gap,
            edit.dst_overlap,
            edit.overlap_policy,
            edit.catch_up_secs,
            edit.starts_at,
            edit.ends_at,
            edit.pause_after_failures
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
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

    /// All jobs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn jobs(&self) -> Result<Vec<JobRow>, StoreError> {
        let rows = sqlx::query_as!(
            JobRow,
            r#"select j.name, j.action, j.payload, j.schedule, j.timezone, j.enabled, j.dst_gap, j.dst_overlap, j.overlap_policy, j.catch_up_secs,
                j.pause_after_failures, j.note, j.paused_by, j.paused_until, j.revision,
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
    pub async fn runs(&self, job: Option<&str>, run: Option<&str>, limit: i64) -> Result<Vec<RunRow>, StoreError> {
        let rows = sqlx::query_as!(
            RunRow,
            r#"select run_id, job, trigger_type, status, fired_at, ended_at, checked, skipped, done, failed, not_needed, pending,
                (select count(*) from tmdb_api_logs l where l.run_id = r.run_id) as "tmdb_calls!",
                (extract(epoch from coalesce(ended_at, now()) - coalesce(started_at, fired_at)) * 1000)::bigint as "duration_ms!",
                coalesce(error, reason) as error
            from job_run r where ($1::text is null or job = $1) and ($2::text is null or run_id = $2)
            order by fired_at desc limit $3"#,
            job,
            run,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }
}

/// Names who is at it, for the audit.
async fn speak_as(tx: &mut sqlx::PgConnection, by: &str) -> Result<(), StoreError> {
    sqlx::query_scalar!("select set_config('mangoes.by', $1, true)", by).fetch_one(&mut *tx).await?;
    Ok(())
}

async fn known(tx: &mut sqlx::PgConnection, name: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(r#"select exists (select 1 from job where name = $1) as "there!""#, name).fetch_one(&mut *tx).await?)
}

async fn open_run(tx: &mut sqlx::PgConnection, name: &str) -> Result<Option<String>, StoreError> {
    let run = sqlx::query_scalar!("select run_id from job_run where job = $1 and status in ('queued', 'running') limit 1", name);
    Ok(run.fetch_optional(&mut *tx).await?)
}

async fn skip(
    tx: &mut sqlx::PgConnection,
    job: &str,
    (action, payload): (&str, &Value),
    (at, reason): (OffsetDateTime, &str),
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into job_run (run_id, job, action, scheduled_for, trigger_type, status, reason, ended_at, payload)
         values ($1, $2, $3, $4, 'scheduled', 'skipped', $5, now(), $6) on conflict do nothing",
        run_id(job, at),
        job,
        action,
        at,
        reason,
        payload
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// The public, stable id of a run: job and nominal time.
pub(crate) fn run_id(job: &str, at: OffsetDateTime) -> String {
    format!("{job}@{}", at.format(&Rfc3339).unwrap_or_default())
}

async fn insert_run(
    tx: &mut sqlx::PgConnection,
    job: &str,
    (action, payload): (&str, Value),
    (scheduled_for, fired_at, trigger): (OffsetDateTime, OffsetDateTime, TriggerType),
) -> Result<(), StoreError> {
    let run_id = run_id(job, scheduled_for);
    let inserted = sqlx::query!(
        "insert into job_run (run_id, job, action, scheduled_for, fired_at, trigger_type, payload) values ($1, $2, $3, $4, $5, $6, $7)
         on conflict do nothing",
        run_id,
        job,
        action,
        scheduled_for,
        fired_at,
        trigger.as_str(),
        payload
    )
    .execute(&mut *tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(());
    }
    let action: Action = action.parse().map_err(StoreError::Setup)?;
    let tick =
        Tick { job: job.to_owned(), action, scheduled_for, fired_at, trigger_type: trigger, run_id: run_id.clone(), payload };
    outbox::enqueue(tx, &[entry(&tick, format!("tick:{run_id}"), job.to_owned(), &run_id, fired_at)]).await
}
