//! Something that a person would call a change happened to a movie.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Event, MovieRefreshed};

/// One field's old and new value. For lists: what went (`old`) and what came (`new`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// The value before.
    pub old: Value,
    /// The value now.
    pub new: Value,
}

/// As [`MovieRefreshed`], only when something changed, with what changed.
///
/// Subject `movies.changed.<tmdb_id>`, stream `MOVIES_EVENTS`; from the outbox, to everybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MovieChanged {
    /// What `movies.refreshed` says.
    #[serde(flatten)]
    pub refreshed: MovieRefreshed,
    /// Field name to its old and new value; long texts are cut, long lists say what came and went.
    pub diff: BTreeMap<String, FieldChange>,
}

impl Event for MovieChanged {
    const TYPE: &'static str = "movies.changed.v1";

    fn subject(&self) -> String {
        format!("movies.changed.{}", self.refreshed.tmdb_id)
    }
}
