//! A stored movie has outlived its freshness budget, or somebody wants it read again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{Event, Lane, RunId, TmdbId};

/// A stored movie is due, or was asked for.
///
/// Subject `movies.stale.<lane>`, stream `MOVIES_STALE`; from `staleness-scanner`, `ingest`, any
/// app or a person, to `refresh`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovieStale {
    /// Which movie; the catalogue must hold it.
    #[schemars(schema_with = "crate::ids::written_tmdb_id")]
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
    #[schemars(with = "Option<crate::Rfc3339>")]
    pub queued_at: Option<OffsetDateTime>,
    /// The row of `mangoes.refresh_item` that it was sent for; once that is not open any more,
    /// nothing is left to do.
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

    fn about(&self) -> String {
        self.tmdb_id.to_string()
    }
}
