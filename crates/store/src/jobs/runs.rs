//! Runs of jobs and lists (`job_run`): how a message begins the work of a run.

use proto::{Action, JobName, RunId, RunState, Tick, TriggerType};
use serde_json::Value;
use sqlx::PgConnection;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    Store, StoreError,
    db::{
        deadline::{SHORT, within},
        row::Row,
    },
    jobs::items::announce,
};

/// The run that a message begins.
#[derive(Debug, Clone)]
pub struct RunRef {
    /// `<job>@<nominal time>`, or derived from the message.
    pub run_id: RunId,
    /// The job, or `manual`.
    pub job: JobName,
    pub action: Action,
    pub trigger_type: TriggerType,
    /// Nominal time, or when it was asked for.
    pub scheduled_for: OffsetDateTime,
}

impl From<&Tick> for RunRef {
    fn from(tick: &Tick) -> Self {
        Self {
            run_id: tick.run_id.clone(),
            job: tick.job.clone(),
            action: tick.action,
            trigger_type: tick.trigger_type,
            scheduled_for: tick.scheduled_for,
        }
    }
}

/// Whether the work of a run may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStart {
    Open,
    /// It was cancelled: nothing is to be done.
    Cancelled,
    /// It ended before, or its id was used again.
    Over,
}

impl From<RunState> for RunStart {
    fn from(state: RunState) -> Self {
        match state {
            RunState::Waiting | RunState::Queued | RunState::Running => Self::Open,
            RunState::Cancelled => Self::Cancelled,
            RunState::Succeeded
            | RunState::Partial
            | RunState::Failed
            | RunState::Skipped
            | RunState::Lost => Self::Over,
        }
    }
}

impl Store {
    /// Records that the work of a run begins, unless the run is over. Repeating is harmless.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn start_run(&self, run: &RunRef, payload: &Value) -> Result<RunStart, StoreError> {
        within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            if !mark_running(&mut tx, run, payload).await? {
                return Ok(state_of(&mut tx, &run.run_id).await?.into());
            }
            announce(&mut tx, &run.run_id, "started", None).await?;
            tx.commit().await?;
            Ok(RunStart::Open)
        })
        .await
    }

    /// Whether this is the id of a job's run that is still to come: `<job>@<nominal time>`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_kept_for_a_job(&self, run_id: &str) -> Result<bool, StoreError> {
        let Some((job, at)) = run_id.split_once('@') else { return Ok(false) };
        if OffsetDateTime::parse(at, &Rfc3339).is_err() {
            return Ok(false);
        }
        let is_kept = sqlx::query_scalar!(
            r#"
            select
                exists (select 1 from job where name = $1)
                and not exists (select 1 from job_run where run_id = $2) as "kept!"
            "#,
            job,
            run_id
        );
        within(SHORT, async { Ok(is_kept.fetch_one(&self.pool).await?) }).await
    }

    /// The runs that were cancelled within the last 14 days, in which a stream of work may hold a
    /// message of theirs: what still asks TMDB for them is turned away.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cancelled_runs(&self) -> Result<Vec<String>, StoreError> {
        let runs = sqlx::query_scalar!(
            "
            select run_id
            from job_run
            where status = 'cancelled' and ended_at > now() - interval '14 days'
            "
        );
        within(SHORT, async { Ok(runs.fetch_all(&self.pool).await?) }).await
    }
}

/// False: the run is not `queued`.
async fn mark_running(
    tx: &mut PgConnection,
    run: &RunRef,
    payload: &Value,
) -> Result<bool, StoreError> {
    let started = sqlx::query!(
        "
        insert into job_run (
            run_id, job, action, scheduled_for, trigger_type, payload,
            status, fired_at, started_at
        )
        values ($1, $2, $3, $4, $5, $6, 'running', now(), now())
        on conflict (run_id) do update set
            status = 'running',
            started_at = coalesce(job_run.started_at, excluded.started_at),
            touched_at = now()
        where job_run.status = 'queued'
        ",
        run.run_id.as_str(),
        run.job.as_str(),
        run.action.as_str(),
        run.scheduled_for,
        run.trigger_type.as_str(),
        payload
    )
    .execute(tx)
    .await?;
    Ok(started.rows_affected() == 1)
}

async fn state_of(tx: &mut PgConnection, run_id: &str) -> Result<RunState, StoreError> {
    let status = sqlx::query_scalar!(
        "
        select status
        from job_run
        where run_id = $1
        ",
        run_id
    )
    .fetch_one(tx)
    .await?;
    Row::of("job_run", &run_id).read("status", &status)
}
