//! What people do with jobs and runs: run, cancel, pause, resume, delete, hold. Who did it, and
//! what it was before, is in `job_audit`.
//!
//! The rules are functions of the database, so that they hold at a psql prompt as well; see the
//! migration `finish_runs`.

use serde_json::{Value, json};
use sqlx::{PgConnection, PgTransaction};
use time::OffsetDateTime;

use crate::{Noun, Store, StoreError};

/// Who asks for a change.
#[derive(Debug, Clone, Default)]
pub struct Author {
    /// A name for the audit.
    pub by: String,
    /// What is asked for again with the same id is not done again.
    pub request_id: Option<String>,
}

/// How a run by hand differs from a scheduled one.
#[derive(Debug, Clone, Copy, Default)]
pub struct ManualRun<'a> {
    /// Fields that replace those of the job's payload.
    pub payload: Option<&'a Value>,
    /// It runs in spite of the job's overlap policy.
    pub force: bool,
}

/// How long a job is paused, and why.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pause<'a> {
    pub note: Option<&'a str>,
    /// `None`: until it is resumed.
    pub until: Option<OffsetDateTime>,
}

/// A transaction in the name of an author.
pub(crate) struct Change<'a> {
    tx: PgTransaction<'static>,
    author: &'a Author,
}

impl<'a> Change<'a> {
    /// What the author asked for before with the same id is not done again: `Repeated`.
    pub(crate) async fn begin(store: &Store, author: &'a Author) -> Result<Self, StoreError> {
        let mut tx = store.pool.begin().await?;
        sqlx::query_scalar!(
            "
            select
                set_config('mangoes.by', $1, true)
                || set_config('mangoes.request', $2, true)
            ",
            author.by,
            author.request_id.as_deref().unwrap_or_default()
        )
        .fetch_one(&mut *tx)
        .await?;
        let mut change = Self { tx, author };
        if let Some(id) = &author.request_id {
            change.refuse_repetition(id).await?;
        }
        Ok(change)
    }

    async fn refuse_repetition(&mut self, id: &str) -> Result<(), StoreError> {
        let fresh = sqlx::query!(
            "
            insert into api_request (request_id, by_whom)
            values ($1, $2)
            on conflict do nothing
            ",
            id,
            self.author.by
        )
        .execute(self.connection())
        .await?;
        if fresh.rows_affected() == 1 {
            return Ok(());
        }
        let answer = sqlx::query_scalar!(
            "
            select answer
            from api_request
            where request_id = $1
            ",
            id
        )
        .fetch_one(self.connection())
        .await?;
        Err(StoreError::Repeated(answer.unwrap_or_default()))
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Records what is done where it is not about a job.
    pub(crate) async fn audit(&mut self, operation: &str, after: &Value) -> Result<(), StoreError> {
        sqlx::query!("select job_audit_add('-', $1, null, $2)::text", operation, after)
            .fetch_one(self.connection())
            .await?;
        Ok(())
    }

    /// Commits, and keeps the answer for a repetition.
    pub(crate) async fn commit(mut self, answer: &Value) -> Result<(), StoreError> {
        if let Some(id) = &self.author.request_id {
            sqlx::query!(
                "
                update api_request
                set answer = $2
                where request_id = $1
                ",
                id,
                answer
            )
            .execute(self.connection())
            .await?;
        }
        self.tx.commit().await?;
        Ok(())
    }
}

impl Store {
    /// Runs a job now. Returns the run; the schedule of the job stays as it is.
    ///
    /// # Errors
    /// `Unknown`, `Refused` when a run of it is not over, `Repeated`; or the database does not
    /// answer. Nothing is done then.
    pub async fn run_job(
        &self,
        name: &str,
        run: ManualRun<'_>,
        author: &Author,
    ) -> Result<String, StoreError> {
        let mut change = Change::begin(self, author).await?;
        let run_id = sqlx::query_scalar!(
            r#"
            select job_run($1, $2, $3) as "id!"
            "#,
            name,
            run.payload,
            run.force
        )
        .fetch_one(change.connection())
        .await
        .map_err(|e| StoreError::of_lookup(Noun::Job, name, e))?;
        change.commit(&json!({ "run_id": run_id })).await?;
        Ok(run_id)
    }

    /// Ends a run and the work that it still has.
    ///
    /// # Errors
    /// As [`Self::run_job`]; `Refused` when it is over.
    pub async fn cancel_run(
        &self,
        run_id: &str,
        note: Option<&str>,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut change = Change::begin(self, author).await?;
        sqlx::query_scalar!("select run_cancel($1, $2)::text", run_id, note)
            .fetch_one(change.connection())
            .await
            .map_err(|e| StoreError::of_lookup(Noun::Run, run_id, e))?;
        change.commit(&json!({ "run_id": run_id })).await
    }

    /// Pauses a job.
    ///
    /// # Errors
    /// As [`Self::run_job`].
    pub async fn pause_job(
        &self,
        name: &str,
        pause: Pause<'_>,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut change = Change::begin(self, author).await?;
        sqlx::query_scalar!(
            "
            select job_pause($1, $2, $3)::text
            ",
            name,
            pause.note,
            pause.until
        )
        .fetch_one(change.connection())
        .await
        .map_err(|e| StoreError::of_lookup(Noun::Job, name, e))?;
        change.commit(&json!({ "name": name })).await
    }

    /// Resumes a job: it goes on with the next nominal time.
    ///
    /// # Errors
    /// As [`Self::run_job`].
    pub async fn resume_job(&self, name: &str, author: &Author) -> Result<(), StoreError> {
        let mut change = Change::begin(self, author).await?;
        sqlx::query_scalar!("select job_resume($1)::text", name)
            .fetch_one(change.connection())
            .await
            .map_err(|e| StoreError::of_lookup(Noun::Job, name, e))?;
        change.commit(&json!({ "name": name })).await
    }

    /// Deletes a job. Its runs stay, and its name cannot be used again.
    ///
    /// # Errors
    /// As [`Self::run_job`].
    pub async fn delete_job(&self, name: &str, author: &Author) -> Result<(), StoreError> {
        let mut change = Change::begin(self, author).await?;
        sqlx::query_scalar!("select job_unschedule($1)::text", name)
            .fetch_one(change.connection())
            .await
            .map_err(|e| StoreError::of_lookup(Noun::Job, name, e))?;
        change.commit(&json!({ "name": name })).await
    }

    /// Holds all jobs, or releases them.
    ///
    /// # Errors
    /// As [`Self::run_job`].
    pub async fn hold_jobs(
        &self,
        held: bool,
        note: Option<&str>,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut change = Change::begin(self, author).await?;
        sqlx::query_scalar!("select job_hold($1, $2)::text", held, note)
            .fetch_one(change.connection())
            .await?;
        change.commit(&json!({ "held": held })).await
    }

    /// Why and by whom all jobs are held; `None`: they are not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn hold(&self) -> Result<Option<String>, StoreError> {
        let hold = sqlx::query_scalar!(
            r#"
            select coalesce(note, 'no note') || ' (' || coalesce(by_whom, '?') || ')' as "note!"
            from job_hold
            where held
            "#
        );
        Ok(hold.fetch_optional(&self.pool).await?)
    }

    /// Records a change that is not about a job, with its request id.
    ///
    /// # Errors
    /// `Repeated`; or the database does not answer.
    pub async fn audit(
        &self,
        operation: &str,
        after: &Value,
        author: &Author,
    ) -> Result<(), StoreError> {
        let mut change = Change::begin(self, author).await?;
        change.audit(operation, after).await?;
        change.commit(after).await
    }
}
