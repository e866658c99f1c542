//! A stored movie has outlived its freshness budget, or somebody wants it read again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{Event, RunId, TmdbId};

/// How urgent a refresh is; the last token of the subject.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Somebody waits for it.
    Now,
    /// Recent titles, which change often.
    Fresh,
    /// The long tail.
    Bulk,
}

impl Lane {
    /// Every lane, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Now, Self::Fresh, Self::Bulk];

    /// The word used in subjects and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Fresh => "fresh",
            Self::Bulk => "bulk",
        }
    }

    /// `refresh_queue.priority`: larger goes first.
    #[must_use]
    pub const fn priority(self) -> i32 {
        match self {
            Self::Now => 100,
            Self::Fresh => 50,
            Self::Bulk => 10,
        }
    }
}

impl std::str::FromStr for Lane {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|lane| lane.as_str() == text)
            .ok_or_else(|| format!("unknown lane '{text}': use now, fresh or bulk"))
    }
}

/// A stored movie is due, or was asked for.
///
/// Subject `movies.stale.<lane>`, stream `MOVIES_STALE`; from `staleness-scanner`, `ingest`, any
/// app or a person, to `refresh`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovieStale {
    /// Which movie; the catalogue must hold it.
    pub tmdb_id: TmdbId,
    /// Its key in `works`, where the sender knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_id: Option<i64>,
    /// Why it is wanted; a word for people, `manual` by default.
    #[serde(default = "manual")]
    pub reason: String,
    /// When it was queued; UTC, RFC 3339.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub queued_at: Option<OffsetDateTime>,
    /// The row of `refresh_queue` that it was sent for; once that is not open any more nothing is
    /// left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<i64>,
    /// The run that it is an item of, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Lane of the subject; not part of the payload.
    #[serde(skip, default = "Lane::now")]
    #[schemars(skip)]
    pub lane: Lane,
}

impl Lane {
    const fn now() -> Self {
        Self::Now
    }
}

fn manual() -> String {
    "manual".to_owned()
}

impl Event for MovieStale {
    const TYPE: &'static str = "movies.stale.v1";

    fn subject(&self) -> String {
        format!("movies.stale.{}", self.lane.as_str())
    }
}
