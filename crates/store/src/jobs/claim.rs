//! Claims nominal times: each gets its row of `job_run`, and what runs gets its tick in the outbox,
//! in one transaction.

use proto::{Action, OverlapPolicy, TriggerType};
use runtime::fault_injection;
use serde_json::Value;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::{
    Store, StoreError,
    db::row::Row,
    jobs::schedule::{BEGIN_WITH_SHORT_WAITS, DueJob, NextTime},
};

/// What becomes of a nominal time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NominalFate {
    /// It runs, as far as the overlap policy lets it; with a note for people.
    Runs(TriggerType, Option<String>),
    /// It does not run, and why.
    Skipped(String),
}

/// A nominal time that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nominal {
    pub at: OffsetDateTime,
    pub fate: NominalFate,
}

/// A job as its runs begin with it.
pub(crate) struct JobSpec<'a> {
    pub(crate) name: &'a str,
    pub(crate) action: Action,
    pub(crate) payload: Value,
    pub(crate) overlap_policy: OverlapPolicy,
}

impl Store {
    /// Claims nominal times and sets the next one. However many schedulers try, one of them gets
    /// them. False: another has them, or the job was edited meanwhile.
    ///
    /// # Errors
    /// When the database does not answer, and `Conflict` when somebody holds the job; nothing is
    /// claimed then.
    pub async fn claim(
        &self,
        job: &DueJob,
        times: &[Nominal],
        next: NextTime,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin_with(BEGIN_WITH_SHORT_WAITS).await?;
        let Some(spec) = take(&mut tx, job, times, next).await? else { return Ok(false) };
        for time in times {
            match &time.fate {
                NominalFate::Skipped(reason) => skip(&mut tx, &spec, time.at, reason).await?,
                NominalFate::Runs(trigger, note) => {
                    begin(&mut tx, &spec, claimed_at(time.at), *trigger, note.as_deref()).await?;
                }
            }
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// Moves the job on to its next time. `None`: another scheduler did so, or the job was edited.
async fn take<'a>(
    tx: &mut PgConnection,
    job: &'a DueJob,
    times: &[Nominal],
    next: NextTime,
) -> Result<Option<JobSpec<'a>>, StoreError> {
    let runs = times.iter().filter(|t| matches!(t.fate, NominalFate::Runs(..))).count();
    // The safeguard: whoever comes second finds another time.
    let any_time = fault_injection::without("tick-claim");
    let row = sqlx::query!(
        "
        update job
        set next_at = coalesce($4, 'infinity'::timestamptz),
            jitter_offset = $6,
            runs_done = runs_done + $7
        where name = $1
            and revision = $2
            and (next_at = $3 or $8)
            and enabled = $5
        returning action, payload, overlap_policy
        ",
        job.name.as_str(),
        job.revision,
        job.next_at,
        next.at,
        job.enabled,
        next.jitter_secs,
        i64::try_from(runs).unwrap_or(i64::MAX),
        any_time
    )
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let words = Row::of("job", &job.name);
    Ok(Some(JobSpec {
        name: &job.name,
        action: words.read("action", &row.action)?,
        payload: row.payload,
        overlap_policy: words.read("overlap_policy", &row.overlap_policy)?,
    }))
}

/// With the safeguard off each scheduler claims an instant of its own, so that the double run
/// shows.
fn claimed_at(nominal: OffsetDateTime) -> OffsetDateTime {
    if !fault_injection::without("tick-claim") {
        return nominal;
    }
    nominal + Duration::microseconds(i64::from(std::process::id() % 1_000))
}

/// How a run began.
pub(crate) struct BegunRun {
    /// `None`: no row was written.
    pub(crate) run_id: Option<String>,
    /// `queued`, `waiting`, `skipped`, or `there`.
    pub(crate) outcome: String,
}

/// Begins a run under the job's overlap policy.
pub(crate) async fn begin(
    tx: &mut PgConnection,
    job: &JobSpec<'_>,
    at: OffsetDateTime,
    trigger: TriggerType,
    note: Option<&str>,
) -> Result<BegunRun, StoreError> {
    let begun = sqlx::query_as!(
        BegunRun,
        r#"
        select begun as run_id, outcome as "outcome!"
        from job_begin($1, $2, $3, $4, $5, $6, $7)
        "#,
        job.name,
        at,
        trigger.as_str(),
        job.action.as_str(),
        job.payload,
        job.overlap_policy.as_str(),
        note
    );
    Ok(begun.fetch_one(tx).await?)
}

async fn skip(
    tx: &mut PgConnection,
    job: &JobSpec<'_>,
    at: OffsetDateTime,
    reason: &str,
) -> Result<(), StoreError> {
    let written = sqlx::query!(
        "
        insert into job_run (
            run_id, job, action, scheduled_for, trigger_type, status, reason, ended_at, payload
        )
        values (run_id_of($1, $3), $1, $2, $3, 'scheduled', 'skipped', $4, now(), $5)
        on conflict do nothing
        ",
        job.name,
        job.action.as_str(),
        at,
        reason,
        job.payload
    )
    .execute(&mut *tx)
    .await?;
    if written.rows_affected() == 1 {
        sqlx::query!(
            "
            select run_event(run_id_of($1, $2), 'skipped', $3)::text
            ",
            job.name,
            at,
            reason
        )
        .fetch_one(tx)
        .await?;
    }
    Ok(())
}

/// The public, stable id of a run: job and nominal time, which has whole seconds.
#[must_use]
pub fn run_id(job: &str, at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap_or_default();
    format!("{job}@{at}")
}
