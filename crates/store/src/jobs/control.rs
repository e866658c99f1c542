//! Job control: what people change about jobs and runs. Who did it, and what it was before, stands
//! in `job_audit`.
//!
//! The rules are functions of the database, so that they hold for SQL as well; see the migration
//! `finish_runs`.

use proto::TriggerType;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{Postgres, Transaction};
use time::OffsetDateTime;

use crate::{Store, StoreError};

/// Who asks for a change.
#[derive(Debug, Clone, Default)]
pub struct Author {
    /// A name for the audit.
    pub by: String,
    /// What is asked for with the same id again is not done again.
    pub request_id: Option<String>,
}

/// What is changed of a job; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobEdit {
    /// Cron, a macro, `every 10m`, `at …`; several joined by `|`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// IANA time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// With what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// skip, run_after or run_before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_gap: Option<String>,
    /// first, second or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_overlap: Option<String>,
    /// skip, queue_one, queue_all, allow or cancel_other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap_policy: Option<String>,
    /// Seconds, 0 to 31536000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up_secs: Option<i32>,
    /// Missed times that run, 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up_max: Option<i32>,
    /// Times that this schedule matches do not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclusions: Option<String>,
    /// Seconds, 0 to 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_secs: Option<i32>,
    /// Runs after which it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_runs: Option<i32>,
    /// No nominal time before it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub starts_at: Option<OffsetDateTime>,
    /// No nominal time after it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub ends_at: Option<OffsetDateTime>,
    /// Failed runs in a row after which it pauses itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_after_failures: Option<i32>,
    /// Seconds without a success after which `overdue` is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overdue_after_secs: Option<i32>,
    /// Seconds without a sign after which a run is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_after_secs: Option<i32>,
    /// How often a lost run begins anew, 0 to 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_retries: Option<i32>,
    /// Limits that are taken away: exclusions, max_runs, starts_at, ends_at, pause_after_failures,
    /// overdue_after_secs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clear: Vec<String>,
}

/// What became of a nominal time that is filled in.
#[derive(Debug, Clone, Serialize)]
pub struct Begun {
    /// The time.
    #[serde(with = "time::serde::rfc3339")]
    pub scheduled_for: OffsetDateTime,
    /// Its run.
    pub run_id: String,
    /// queued, waiting, or there: it ran before.
    pub outcome: String,
}

type Tx = Transaction<'static, Postgres>;

impl Store {
    /// A transaction in an author's name. What the author asked for before, under the same id, is
    /// not done again.
    async fn begin_as(&self, author: &Author) -> Result<Tx, StoreError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query_scalar!(
            "select set_config('mangoes.by', $1, true) || set_config('mangoes.request', $2, true)",
            author.by,
            author.request_id.as_deref().unwrap_or_default()
        )
        .fetch_one(&mut *tx)
        .await?;
        let Some(id) = &author.request_id else { return Ok(tx) };
        let fresh = sqlx::query!(
            "insert into api_request (request_id, by_whom) values ($1, $2) on conflict do nothing",
            id,
            author.by
        )
        .execute(&mut *tx)
        .await?;
        if fresh.rows_affected() == 1 {
            return Ok(tx);
        }
        let answer =
            sqlx::query_scalar!("select answer from api_request where request_id = $1", id)
                .fetch_one(&mut *tx)
                .await?;
        Err(StoreError::Repeated(answer.unwrap_or_default()))
    }

    /// Commits with the answer that a repetition gets.
    async fn commit_as(
        &self,
        mut tx: Tx,
        author: &Author,
        answer: &Value,
    ) -> Result<(), StoreError> {
        if let Some(id) = &author.request_id {
            sqlx::query!("update api_request set answer = $2 where request_id = $1", id, answer)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Runs a job now, as far as its overlap policy lets it, or in spite of it. Returns the run;
    /// its schedule stays as it is.
    ///
    /// # Errors
    /// `Unknown`, `Refused` when a run of it is not over, `Repeated`; or the database does not
    /// answer. Nothing is done then.
    pub async fn run_job(
        &self,
        name: &str,
        (payload, force): (Option<&Value>, bool),
        author: &Author,
    ) -> Result<String, StoreError> {
        let mut tx = self.begin_as(author).await?;
        let run_id = sqlx::query_scalar!(
            r#"select mangoes_job_run($1, $2, $3) as "id!""#,
            name,
            payload,
            force
        )
        .fetch_one(&mut *tx)
        .await?;
        self.commit_as(tx, author, &json!({ "run_id": run_id })).await?;
        Ok(run_id)
    }

    /// Ends a run and what it still wants.
    ///
    /// # Errors
    /// As [`Self::run_job`]; `Refused` when it is over.
    pub async fn cancel_run(
        &self,
        run_id: &str,
        note: Option<&str>,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_as(author).await?;
        sqlx::query_scalar!("select mangoes_run_cancel($1, $2)::text", run_id, note)
            .fetch_one(&mut *tx)
            .await?;
        self.commit_as(tx, author, &json!({ "run_id": run_id })).await
    }

    /// Pauses a job until it is resumed, or until an instant.
    ///
    /// # Errors
    /// As [`Self::run_job`].
    pub async fn pause_job(
        &self,
        name: &str,
        (note, until): (Option<&str>, Option<OffsetDateTime>),
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_as(author).await?;
        sqlx::query_scalar!("select mangoes_job_pause($1, $2, $3)::text", name, note, until)
            .fetch_one(&mut *tx)
            .await?;
        self.commit_as(tx, author, &json!({ "name": name })).await
    }

    /// Resumes a job: it goes on with the next nominal time.
    ///
    /// # Errors
    /// As [`Self::run_job`].
    pub async fn resume_job(&self, name: &str, author: &Author) -> Result<(), StoreError> {
        let mut tx = self.begin_as(author).await?;
        sqlx::query_scalar!("select mangoes_job_resume($1)::text", name)
            .fetch_one(&mut *tx)
            .await?;
        self.commit_as(tx, author, &json!({ "name": name })).await
    }

    /// Removes a job; its runs stay, and its name is not given again.
    ///
    /// # Errors
    /// As [`Self::run_job`].
    pub async fn delete_job(&self, name: &str, author: &Author) -> Result<(), StoreError> {
        let mut tx = self.begin_as(author).await?;
        sqlx::query_scalar!("select mangoes_job_unschedule($1)::text", name)
            .fetch_one(&mut *tx)
            .await?;
        self.commit_as(tx, author, &json!({ "name": name })).await
    }

    /// Holds all jobs, or lets them go on.
    ///
    /// # Errors
    /// As [`Self::run_job`].
    pub async fn hold_jobs(
        &self,
        held: bool,
        note: Option<&str>,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_as(author).await?;
        sqlx::query_scalar!("select mangoes_jobs_hold($1, $2)::text", held, note)
            .fetch_one(&mut *tx)
            .await?;
        self.commit_as(tx, author, &json!({ "held": held })).await
    }

    /// Creates a job: its action, and what `edit` says.
    ///
    /// # Errors
    /// As [`Self::run_job`]; `Refused` when the name is taken, or was.
    pub async fn create_job(
        &self,
        name: &str,
        action: &str,
        edit: &JobEdit,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_as(author).await?;
        let made = sqlx::query!(
            "insert into job (name, action, schedule, timezone) values ($1, $2, $3, coalesce($4, 'UTC')) on conflict do nothing",
            name,
            action,
            edit.schedule.as_deref().unwrap_or_default(),
            edit.timezone
        )
        .execute(&mut *tx)
        .await?;
        if made.rows_affected() == 0 {
            return Err(StoreError::Refused(format!("there is a job {name} already")));
        }
        apply(&mut tx, name, edit).await?;
        self.commit_as(tx, author, &json!({ "name": name })).await
    }

    /// Changes what `edit` names.
    ///
    /// # Errors
    /// As [`Self::run_job`].
    pub async fn set_job(
        &self,
        name: &str,
        edit: &JobEdit,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_as(author).await?;
        apply(&mut tx, name, edit).await?;
        self.commit_as(tx, author, &json!({ "name": name })).await
    }

    /// Begins a run for each of these nominal times that has none yet, one after the other unless
    /// the job's runs may overlap.
    ///
    /// # Errors
    /// As [`Self::run_job`].
    pub async fn backfill_job(
        &self,
        name: &str,
        times: &[OffsetDateTime],
        author: &Author,
    ) -> Result<Vec<Begun>, StoreError> {
        let mut tx = self.begin_as(author).await?;
        let job = sqlx::query!(
            "select action, payload, overlap_policy from job where name = $1 for update",
            name
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(job) = job else {
            return Err(StoreError::Unknown(format!("there is no job {name}")));
        };
        let policy = if job.overlap_policy == "allow" { "allow" } else { "queue_all" };
        let mut begun = Vec::with_capacity(times.len());
        for at in times {
            let row = sqlx::query!(
                r#"select coalesce(begun, run_id_of($1, $2)) as "run_id!", outcome as "outcome!" from job_begin($1, $2, $3, $4, $5, $6, null)"#,
                name,
                at,
                TriggerType::Backfill.as_str(),
                job.action,
                job.payload,
                policy
            )
            .fetch_one(&mut *tx)
            .await?;
            begun.push(Begun { scheduled_for: *at, run_id: row.run_id, outcome: row.outcome });
        }
        let runs: Vec<&str> =
            begun.iter().filter(|b| b.outcome != "there").map(|b| b.run_id.as_str()).collect();
        sqlx::query!(
            "select job_audit_add($1, 'backfill', null, $2)::text",
            name,
            json!({ "runs": runs })
        )
        .fetch_one(&mut *tx)
        .await?;
        self.commit_as(tx, author, &json!({ "runs": runs })).await?;
        Ok(begun)
    }

    /// The nominal times of a job within a span that ran or are to run.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn times_that_ran(
        &self,
        name: &str,
        (from, to): (OffsetDateTime, OffsetDateTime),
    ) -> Result<Vec<OffsetDateTime>, StoreError> {
        let times = sqlx::query_scalar!(
            "select scheduled_for from job_run where job = $1 and scheduled_for between $2 and $3 and status <> 'skipped'",
            name,
            from,
            to
        );
        Ok(times.fetch_all(&self.pool).await?)
    }

    /// How many movies a scan would queue, with the titles of the first ones.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn would_scan(
        &self,
        limit: i64,
        sample: i64,
    ) -> Result<(i64, Vec<String>), StoreError> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let row = sqlx::query!(
            r#"with due as (select title, due_at from get_stale_movies($1))
            select (select count(*) from due) as "n!",
                array(select coalesce(title, '?') from due order by due_at limit $2) as "titles!: Vec<String>""#,
            limit,
            sample
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((row.n, row.titles))
    }

    /// How many queue rows a tick of `refresh_worker` may publish.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn would_release(&self, limit: i64) -> Result<i64, StoreError> {
        let waiting = sqlx::query_scalar!(
            r#"select least($1, count(*)) as "n!" from refresh_queue where status = 'queued'"#,
            limit
        );
        Ok(waiting.fetch_one(&self.pool).await?)
    }

    /// Notes a change that is none of a job's, with its request id.
    ///
    /// # Errors
    /// `Repeated`; or the database does not answer.
    pub async fn audit(
        &self,
        operation: &str,
        after: &Value,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_as(author).await?;
        sqlx::query!("select job_audit_add('-', $1, null, $2)::text", operation, after)
            .fetch_one(&mut *tx)
            .await?;
        self.commit_as(tx, author, after).await
    }
}

async fn apply(tx: &mut Tx, name: &str, edit: &JobEdit) -> Result<(), StoreError> {
    let mut patch = serde_json::to_value(edit).unwrap_or_default();
    if let Some(fields) = patch.as_object_mut() {
        fields.remove("clear");
        fields.extend(edit.clear.iter().map(|name| (name.clone(), Value::Null)));
    }
    sqlx::query_scalar!("select mangoes_job_set($1, $2)::text", name, patch)
        .fetch_one(&mut **tx)
        .await?;
    Ok(())
}
