//! The words of jobs and runs in tables and in answers.

use serde::{Deserialize, Serialize};

/// Where a run of `job_run` is. Not [`RunStatus`](crate::RunStatus), which is the kind of an event
/// about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Another run of the job goes first.
    Waiting,
    /// Its tick is on its way.
    Queued,
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

    /// The word used in tables.
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

/// What happens to a run whose turn comes while another run of its job is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlapPolicy {
    /// It does not run.
    Skip,
    /// It waits, unless another one waits already.
    QueueOne,
    /// It waits, behind all that wait already.
    QueueAll,
    /// It runs beside the other.
    Allow,
    /// It runs, and the other is cancelled.
    CancelOther,
}

impl OverlapPolicy {
    /// Every policy.
    pub const ALL: [Self; 5] =
        [Self::Skip, Self::QueueOne, Self::QueueAll, Self::Allow, Self::CancelOther];

    /// The word used in tables.
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

impl std::fmt::Display for RunState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for OverlapPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for RunState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("unknown state of a run '{text}'"))
    }
}

impl std::str::FromStr for OverlapPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == text).ok_or_else(|| {
            let words = Self::ALL.map(Self::as_str).join(", ");
            format!("unknown overlap policy '{text}': use one of {words}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_what_serde_writes() {
        for state in RunState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        for policy in OverlapPolicy::ALL {
            assert_eq!(serde_json::to_value(policy).unwrap(), policy.as_str());
            assert_eq!(policy.as_str().parse(), Ok(policy));
        }
    }
}
