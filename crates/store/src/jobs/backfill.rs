//! Fills in past nominal times that did not run.

use std::ops::RangeInclusive;

use proto::{OverlapPolicy, TriggerType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    Noun, Store, StoreError,
    db::row::Row,
    jobs::{
        claim::{self, JobSpec},
        control::{Author, Change},
    },
};

/// A nominal time that is filled in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Backfilled {
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub scheduled_for: OffsetDateTime,
    pub run_id: String,
    pub outcome: BackfillOutcome,
}

/// What became of a nominal time that is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackfillOutcome {
    Queued,
    /// Another run of the job goes first.
    Waiting,
    /// It ran before.
    There,
    /// It was only asked what would run.
    WouldRun,
}

impl BackfillOutcome {
    /// The word that people see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Waiting => "waiting",
            Self::There => "there",
            Self::WouldRun => "would_run",
        }
    }
}

impl std::str::FromStr for BackfillOutcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Queued, Self::Waiting, Self::There, Self::WouldRun]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| format!("unknown outcome '{text}'"))
    }
}

impl Store {
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
    ) -> Result<Vec<Backfilled>, StoreError> {
        let mut change = Change::begin(self, author).await?;
        let job = locked(change.connection(), name).await?;
        let mut filled = Vec::with_capacity(times.len());
        for at in times {
            filled.push(fill(change.connection(), &job, *at).await?);
        }
        let began = |run: &&Backfilled| run.outcome != BackfillOutcome::There;
        let runs: Vec<&str> = filled.iter().filter(began).map(|f| f.run_id.as_str()).collect();
        sqlx::query!(
            "
            select job_audit_add($1, 'backfill', null, $2)::text
            ",
            name,
            json!({ "runs": runs })
        )
        .fetch_one(change.connection())
        .await?;
        change.commit(&json!({ "runs": runs })).await?;
        Ok(filled)
    }

    /// The nominal times of a job within a span that ran or are to run.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn times_that_ran(
        &self,
        name: &str,
        span: RangeInclusive<OffsetDateTime>,
    ) -> Result<Vec<OffsetDateTime>, StoreError> {
        let times = sqlx::query_scalar!(
            "
            select scheduled_for
            from job_run
            where job = $1
                and scheduled_for between $2 and $3
                and status <> 'skipped'
            ",
            name,
            span.start(),
            span.end()
        );
        Ok(times.fetch_all(&self.pool).await?)
    }
}

async fn locked<'a>(tx: &mut PgConnection, name: &'a str) -> Result<JobSpec<'a>, StoreError> {
    let job = sqlx::query!(
        "
        select action, payload, overlap_policy
        from job
        where name = $1
        for update
        ",
        name
    )
    .fetch_optional(tx)
    .await?;
    let Some(job) = job else {
        return Err(StoreError::Unknown { what: Noun::Job, name: name.to_owned() });
    };
    let row = Row::of("job", &name);
    let overlap_policy = match row.read("overlap_policy", &job.overlap_policy)? {
        OverlapPolicy::Allow => OverlapPolicy::Allow,
        OverlapPolicy::Skip
        | OverlapPolicy::QueueOne
        | OverlapPolicy::QueueAll
        | OverlapPolicy::CancelOther => OverlapPolicy::QueueAll,
    };
    let action = row.read("action", &job.action)?;
    Ok(JobSpec { name, action, payload: job.payload, overlap_policy })
}

async fn fill(
    tx: &mut PgConnection,
    job: &JobSpec<'_>,
    at: OffsetDateTime,
) -> Result<Backfilled, StoreError> {
    let begun = claim::begin(tx, job, at, TriggerType::Backfill, None).await?;
    let run_id = begun.run_id.unwrap_or_else(|| claim::run_id(job.name, at));
    let outcome = Row::of("job_run", &run_id).read("outcome", &begun.outcome)?;
    Ok(Backfilled { scheduled_for: at, run_id, outcome })
}
