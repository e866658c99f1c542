//! What daylight saving makes of a job's wall-clock times: the words of the policies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::CalendarError;

/// What becomes of a wall-clock time that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// It does not run.
    Skip,
    /// It runs at the first instant after the gap.
    #[default]
    RunAfter,
    /// It runs at the last second before the gap.
    RunBefore,
}

/// What becomes of a wall-clock time that exists twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The first time.
    #[default]
    First,
    /// The second time.
    Second,
    /// Both times.
    Both,
}

/// The two policies of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DaylightSaving {
    pub gap: Gap,
    pub overlap: Overlap,
}

impl Gap {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Skip, Self::RunAfter, Self::RunBefore];

    /// The word used in tables and requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::RunAfter => "run_after",
            Self::RunBefore => "run_before",
        }
    }
}

impl Overlap {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::First, Self::Second, Self::Both];

    /// The word used in tables and requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::Both => "both",
        }
    }
}

impl std::str::FromStr for Gap {
    type Err = CalendarError;

    fn from_str(word: &str) -> Result<Self, CalendarError> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == word).ok_or_else(|| {
            CalendarError::Policy(format!(
                "'{word}' is not a rule for a gap: use skip, run_after or run_before"
            ))
        })
    }
}

impl std::str::FromStr for Overlap {
    type Err = CalendarError;

    fn from_str(word: &str) -> Result<Self, CalendarError> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == word).ok_or_else(|| {
            CalendarError::Policy(format!(
                "'{word}' is not a rule for an overlap: use first, second or both"
            ))
        })
    }
}
