//! The words of a job and of its runs, as they stand in tables, requests and answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of a run that comes while another run of its job is not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverlapPolicy {
    /// It does not run.
    #[default]
    Skip,
    /// It waits; while one waits, further ones do not run.
    QueueOne,
    /// It waits.
    QueueAll,
    /// Both run.
    Allow,
    /// It runs, and the other one is cancelled.
    CancelOther,
}

impl OverlapPolicy {
    /// Every policy.
    pub const ALL: [Self; 5] =
        [Self::Skip, Self::QueueOne, Self::QueueAll, Self::Allow, Self::CancelOther];

    /// The word used in tables and requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::QueueOne => "queue_one",
            Self::QueueAll => "queue_all",
            Self::Allow => "allow",
            Self::CancelOther => "cancel_other",
        }
    }
}

impl std::fmt::Display for OverlapPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for OverlapPolicy {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == word).ok_or_else(|| {
            format!(
                "'{word}' is not an overlap policy: use skip, queue_one, queue_all, allow or \
                 cancel_other"
            )
        })
    }
}

/// How far a run is: the column `job_run.status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It waits for another run of its job.
    Waiting,
    /// Its tick is on its way.
    Queued,
    /// Its work has begun.
    Running,
    /// Every item did what it should.
    Succeeded,
    /// Some items failed.
    Partial,
    /// Nothing could be done.
    Failed,
    /// It did not run.
    Skipped,
    /// Somebody ended it.
    Cancelled,
    /// No message carried it any more.
    Lost,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Partial,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
        Self::Lost,
    ];

    /// The word used in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

impl std::fmt::Display for RunState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for RunState {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| format!("'{word}' is not a state of a run"))
    }
}

/// A limit of a job that can be taken away again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobLimit {
    /// The times that do not run.
    Exclusions,
    /// The number of runs after which it ends.
    MaxRuns,
    /// The instant before which it does not fire.
    StartsAt,
    /// The instant after which it does not fire.
    EndsAt,
    /// The number of failed runs in a row after which it pauses itself.
    PauseAfterFailures,
    /// The span without a success after which it is reported as overdue.
    OverdueAfterSecs,
}

impl JobLimit {
    /// Every limit.
    pub const ALL: [Self; 6] = [
        Self::Exclusions,
        Self::MaxRuns,
        Self::StartsAt,
        Self::EndsAt,
        Self::PauseAfterFailures,
        Self::OverdueAfterSecs,
    ];

    /// The name of its column and of its field in a request.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exclusions => "exclusions",
            Self::MaxRuns => "max_runs",
            Self::StartsAt => "starts_at",
            Self::EndsAt => "ends_at",
            Self::PauseAfterFailures => "pause_after_failures",
            Self::OverdueAfterSecs => "overdue_after_secs",
        }
    }
}

impl std::str::FromStr for JobLimit {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|limit| limit.as_str() == word).ok_or_else(|| {
            format!(
                "'{word}' cannot be cleared; these can: {}",
                Self::ALL.map(Self::as_str).join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_what_serde_writes_and_reads_back() {
        for policy in OverlapPolicy::ALL {
            assert_eq!(serde_json::to_value(policy).unwrap(), policy.as_str());
            assert_eq!(policy.as_str().parse(), Ok(policy));
        }
        for state in RunState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        for limit in JobLimit::ALL {
            assert_eq!(serde_json::to_value(limit).unwrap(), limit.as_str());
            assert_eq!(limit.as_str().parse(), Ok(limit));
        }
    }
}
