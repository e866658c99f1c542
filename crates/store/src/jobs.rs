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
    /// Next nominal time; `None` after an edit.
    pub next_at: Option<OffsetDateTime>,
    /// Grows by one per edit.
    pub revision: i64,
    /// The database's clock.
    pub now: OffsetDateTime,
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
    /// Whether it fires.
    pub enabled: bool,
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
    /// Jobs whose time has come, or has to be computed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_jobs(&self, limit: i64) -> Result<Vec<DueJob>, StoreError> {
        let rows = sqlx::query_as!(
            DueJob,
            r#"select name, schedule, timezone, next_at, revision, now() as "now!" from job
            where enabled and (next_at is null or next_at <= now()) order by next_at nulls first limit $1"#,
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
        Ok(sqlx::query_scalar!("select min(next_at) from job where enabled and next_at < 'infinity'")
            .fetch_one(&self.pool)
            .await?)
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

    /// Claims a nominal time: the row of `job_run`, the tick in the outbox and the next time, in one transaction. However
    /// many schedulers try, one of them gets it. False: another has it, or the job was edited meanwhile.
    ///
    /// # Errors
    /// When the database does not answer; nothing is claimed then.
    pub async fn claim(
        &self,
        job: &DueJob,
        (scheduled_for, trigger): (OffsetDateTime, TriggerType),
        next: Option<OffsetDateTime>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let mine = sqlx::query!(
            "update job set next_at = coalesce($4, 'infinity'::timestamptz) where name = $1 and revision = $2 and next_at = $3 and enabled
             returning action, payload",
            job.name,
            job.revision,
            job.next_at,
            next
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = mine else { return Ok(false) };
        let open = sqlx::query_scalar!(
            r#"select exists (select 1 from job_run where job = $1 and status in ('queued', 'running')) as "open!""#,
            job.name
        )
        .fetch_one(&mut *tx)
        .await?;
        if open {
            sqlx::query!(
                "insert into job_run (run_id, job, action, scheduled_for, trigger_type, status, reason, ended_at, payload)
                 values ($1, $2, $3, $4, $5, 'skipped', 'overlap: the run before is not over', now(), $6) on conflict do nothing",
                run_id(&job.name, scheduled_for),
                job.name,
                row.action,
                scheduled_for,
                trigger.as_str(),
                row.payload
            )
            .execute(&mut *tx)
            .await?;
        } else {
            insert_run(&mut tx, &job.name, (&row.action, row.payload), (scheduled_for, job.now, trigger)).await?;
        }
        tx.commit().await?;
        Ok(!open)
    }

    /// Runs a job by hand; its schedule stays as it is. Returns the run's id; `None`: no such job.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn run_job(&self, name: &str, payload: Option<&Value>) -> Result<Option<String>, StoreError> {
        let mut tx = self.pool.begin().await?;
        let row = sqlx::query!(r#"select action, payload, clock_timestamp() as "now!" from job where name = $1"#, name)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut merged = row.payload;
        if let (Value::Object(base), Some(Value::Object(over))) = (&mut merged, payload) {
            base.extend(over.clone());
        }
        insert_run(&mut tx, name, (&row.action, merged), (row.now, row.now, TriggerType::Manual)).await?;
        tx.commit().await?;
        Ok(Some(run_id(name, row.now)))
    }

    /// All jobs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn jobs(&self) -> Result<Vec<JobRow>, StoreError> {
        let rows = sqlx::query_as!(
            JobRow,
            r#"select j.name, j.action, j.payload, j.schedule, j.timezone, j.enabled,
                nullif(j.next_at, 'infinity') as next_at, r.fired_at as "last_fired_at?", r.status as "last_status?"
            from job j left join lateral (
                select fired_at, status from job_run where job = j.name order by fired_at desc limit 1) r on true
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

/// The public, stable id of a run: job and nominal time.
fn run_id(job: &str, at: OffsetDateTime) -> String {
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
