//! What should have happened and did not: runs whose turn has come, jobs without a success, runs
//! that no message carries any more.

use proto::Action;

use crate::{
    Store, StoreError,
    db::row::{Row, readable},
};

/// An open run that may be lost.
#[derive(Debug, Clone)]
pub struct QuietRun {
    pub run_id: String,
    pub action: Action,
}

/// What became of a run that seemed to be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LossCheck {
    /// Something has happened to it after all, or somebody else is about to close it.
    Alive,
    /// It ended as lost, and its job begins no other run in its place.
    Ended,
    /// It ended as lost, and this run begins in its place.
    Replaced(String),
}

impl Store {
    /// Begins the waiting runs whose turn has come. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer; none begins then.
    pub async fn promote_runs(&self) -> Result<i64, StoreError> {
        let promoted = sqlx::query_scalar!(r#"select job_promote() as "n!""#);
        Ok(promoted.fetch_one(&self.pool).await?)
    }

    /// Announces, once each, the jobs that had no success for longer than they allow. Returns how
    /// many.
    ///
    /// # Errors
    /// When the database does not answer; nothing is announced then.
    pub async fn note_overdue(&self) -> Result<i64, StoreError> {
        let overdue = sqlx::query_scalar!(r#"select job_note_overdue() as "n!""#);
        Ok(overdue.fetch_one(&self.pool).await?)
    }

    /// Open runs to which nothing happened for longer than their job allows, while nothing in the
    /// database carries them. A message may still do so, which only the broker knows.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn quiet_runs(&self) -> Result<Vec<QuietRun>, StoreError> {
        let rows = sqlx::query!(
            r#"
            select run_id as "run_id!", action as "action!"
            from quiet_runs()
            limit 100
            "#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(readable(rows.into_iter().map(|r| {
            let action = Row::of("job_run", &r.run_id).read("action", &r.action)?;
            Ok(QuietRun { run_id: r.run_id, action })
        })))
    }

    /// Ends a run that nobody works on as lost.
    ///
    /// # Errors
    /// When the database does not answer; nothing is changed then.
    pub async fn lose_run(&self, run_id: &str) -> Result<LossCheck, StoreError> {
        let mut tx = self.pool.begin().await?;
        // The run is locked before its job, in the order of whoever closes it. The job is locked
        // only if nobody else has it.
        let run = sqlx::query!(
            r#"
            select job, exists (select 1 from job where name = r.job) as "is_of_a_job!"
            from job_run r
            where run_id = $1
            for update
            "#,
            run_id
        );
        let Some(run) = run.fetch_optional(&mut *tx).await? else { return Ok(LossCheck::Alive) };
        let job = sqlx::query_scalar!(
            "
            select name
            from job
            where name = $1
            for update skip locked
            ",
            run.job
        );
        if job.fetch_optional(&mut *tx).await?.is_none() && run.is_of_a_job {
            return Ok(LossCheck::Alive);
        }
        let is_quiet = sqlx::query_scalar!(
            r#"
            select exists (select 1 from quiet_runs() where run_id = $1) as "quiet!"
            "#,
            run_id
        );
        if !is_quiet.fetch_one(&mut *tx).await? {
            return Ok(LossCheck::Alive);
        }
        let again = sqlx::query_scalar!("select run_lost($1)", run_id).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(again.map_or(LossCheck::Ended, LossCheck::Replaced))
    }
}
