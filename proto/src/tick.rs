//! A job's time has come.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{Action, Event, JobName, RunId};

/// What made a run begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriggerType {
    /// Its nominal time.
    Scheduled,
    /// A person or an app.
    #[default]
    Manual,
    /// A nominal time that was missed and is made up for.
    CatchUp,
    /// A range of past nominal times that somebody asked for.
    Backfill,
}

impl TriggerType {
    /// Every trigger.
    pub const ALL: [Self; 4] = [Self::Scheduled, Self::Manual, Self::CatchUp, Self::Backfill];

    /// The word used in payloads and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Manual => "manual",
            Self::CatchUp => "catch_up",
            Self::Backfill => "backfill",
        }
    }
}

impl std::fmt::Display for TriggerType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for TriggerType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|trigger| trigger.as_str() == text)
            .ok_or_else(|| format!("unknown trigger '{text}'"))
    }
}

/// A job's nominal time has come, or somebody ran it by hand.
///
/// Subject `movies.tick.<action>.<job>`, stream `MOVIES_TICKS`; from `scheduler`, to the service
/// that owns the action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tick {
    /// The job's name: 1 to 64 of a-z, 0-9, `_` and `-`.
    pub job: JobName,
    /// What is to be done.
    pub action: Action,
    /// The nominal time; UTC, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "crate::Rfc3339")]
    pub scheduled_for: OffsetDateTime,
    /// When the tick was claimed; UTC, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "crate::Rfc3339")]
    pub fired_at: OffsetDateTime,
    /// What made it fire.
    pub trigger_type: TriggerType,
    /// The run that it begins: a row of `job_run`.
    pub run_id: RunId,
    /// The job's payload at that moment, of the shape that the action wants.
    #[serde(default)]
    pub payload: Value,
}

impl Event for Tick {
    const TYPE: &'static str = "movies.tick.v1";

    fn subject(&self) -> String {
        format!("movies.tick.{}.{}", self.action.as_str(), self.job)
    }
}
