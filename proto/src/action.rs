//! What a job can do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a job does; the service that owns the action consumes its ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Read lists and bring new titles (`ingest`).
    Ingest,
    /// Look for due movies and queue them (`staleness-scanner`).
    Scan,
    /// Release or repair the refresh queue (`refresh`).
    Refresh,
    /// Housekeeping (`scheduler`).
    Maintain,
    /// Read TMDB's change feed (`ingest`).
    Feed,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 5] =
        [Self::Ingest, Self::Scan, Self::Refresh, Self::Maintain, Self::Feed];

    /// The word used in subjects and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Scan => "scan",
            Self::Refresh => "refresh",
            Self::Maintain => "maintain",
            Self::Feed => "feed",
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|a| a.as_str() == text).ok_or_else(|| {
            format!("unknown action '{text}': use ingest, scan, refresh, maintain or feed")
        })
    }
}
