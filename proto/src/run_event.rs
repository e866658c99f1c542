//! The life of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{Event, JobName, RunId, TriggerType};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Work is under way.
    Started,
    /// Work goes on; said every few seconds at most.
    Progress,
    /// Every item did what it should.
    Succeeded,
    /// Some items failed.
    Partial,
    /// Nothing could be done.
    Failed,
    /// It did not run, and `error` says why.
    Skipped,
    /// Somebody ended it, and `error` says who.
    Cancelled,
    /// No message carried it any more; its job says whether another begins in its place.
    Lost,
    /// The job had no success for longer than it says; `run_id` names no run.
    Overdue,
}

/// How many items of a run did what. `checked = skipped + done + failed + not_needed + cancelled +
/// pending`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunCounts {
    /// Unique movies looked at.
    pub checked: i64,
    /// Already there.
    pub skipped: i64,
    /// Ingested or refreshed.
    pub done: i64,
    /// Ended as a dead letter.
    pub failed: i64,
    /// Seen on a page after `max_movies` was reached.
    pub not_needed: i64,
    /// Ended by a cancel.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cancelled: i64,
    /// Not settled yet.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pending: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// A run began, goes on or ended; or a job is overdue.
///
/// Subject `movies.run.<job>`, stream `MOVIES_EVENTS`; from the outbox, to operators and the
/// console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunEvent {
    /// The job's name, or `manual` for a list that somebody asked for.
    pub job: JobName,
    /// The run: a row of `job_run`.
    pub run_id: RunId,
    /// Where it stands.
    pub status: RunStatus,
    /// What made it begin.
    pub trigger_type: TriggerType,
    /// Its counts so far.
    pub counts: RunCounts,
    /// When this was true; UTC, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "crate::Rfc3339")]
    pub at: OffsetDateTime,
    /// What went wrong, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Event for RunEvent {
    const TYPE: &'static str = "movies.run.v1";

    fn subject(&self) -> String {
        format!("movies.run.{}", self.job)
    }
}
