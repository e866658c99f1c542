//! What the verbs answer, the same for the command line, NATS and HTTP. An answer is an object, so
//! that fields can be added; docs/api has the schema of each.

use proto::{JobName, Rfc3339, RunId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Backfilled, DeadGroup, DeadRow, WorkEvent};
use time::OffsetDateTime;

use crate::{
    dead::Replayed,
    jobs::{DryRun, LintFinding, Preview, RunView},
    movies,
};

/// The time that everything is compared with.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct Now {
    /// The database's clock.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "Rfc3339")]
    pub now: OffsetDateTime,
}

/// A job's nominal times to come.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Times {
    pub times: Vec<Preview>,
}

/// Runs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Runs {
    /// The latest first.
    pub runs: Vec<RunView>,
}

/// What is wrong with any job.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    pub findings: Vec<LintFinding>,
}

/// A run that was asked for, or what it would do.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RunAnswer {
    Started(Started),
    DryRun(DryRun),
}

/// A run that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    pub run_id: RunId,
}

/// A job that was removed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Deleted {
    /// Its name.
    pub deleted: JobName,
}

/// Nominal times that are filled in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Backfill {
    /// The earliest first.
    pub runs: Vec<Backfilled>,
}

/// A movie's timeline.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// The newest first.
    pub events: Vec<WorkEvent>,
}

/// Movies, or a list, that were asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WorkAnswer {
    /// Of movies by number.
    Accepted(Accepted),
    /// Of a list, or of all movies that are due.
    Started(Started),
}

/// Messages that their stream has confirmed, one for each movie.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    pub accepted: Vec<movies::Accepted>,
}

/// Dead letters by consumer and reason.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DeadGroups {
    /// The largest first.
    pub groups: Vec<DeadGroup>,
}

/// Dead letters one by one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetters {
    /// The newest first.
    pub dead_letters: Vec<DeadRow>,
}

/// What became of dead letters that were to be replayed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Replays {
    /// The oldest first.
    pub replayed: Vec<Replayed>,
}

/// Dead letters that were removed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct Dropped {
    /// How many.
    pub dropped: u64,
}
