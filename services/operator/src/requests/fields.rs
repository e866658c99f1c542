//! The fields of each request, where the function behind it has no type with the same fields.

use proto::{JobName, ListSource, MaxMovies, TmdbId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::dead::DeadLetterSelection;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) name: JobName,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Next {
    pub(super) name: JobName,
    #[serde(default = "ten")]
    pub(super) n: usize,
}

const fn ten() -> usize {
    10
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    pub(super) name: JobName,
    pub(super) payload: Option<Value>,
    #[serde(default)]
    pub(super) force: bool,
    #[serde(default)]
    pub(super) dry_run: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunToCancel {
    pub(super) run_id: Option<String>,
    /// The job whose open run is meant.
    pub(super) name: Option<JobName>,
    pub(super) note: Option<String>,
}

/// `held` has to be given: an empty request must not stop an installation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Hold {
    pub(super) held: bool,
    pub(super) note: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneMovie {
    pub(super) tmdb_id: TmdbId,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Timeline {
    pub(super) tmdb_id: TmdbId,
    /// 1 to 1000; 20 where it is left out.
    pub(super) limit: Option<i64>,
}

/// A message that was accepted.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    pub(super) message_id: String,
}

/// A page of the catalogue.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// The `next` of the page before.
    pub(super) after: Option<i64>,
    /// 1 to 1000.
    pub(super) limit: Option<i64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Id {
    pub(super) id: i64,
}

/// What to ingest: movies, or a list.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Ingest {
    pub(super) movies: Vec<TmdbId>,
    /// Also those that the catalogue has.
    pub(super) force: bool,
    pub(super) list: Option<ListSource>,
    /// The list's new titles at most.
    pub(super) max_movies: Option<MaxMovies>,
}

/// What to refresh: movies, or all that are due.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Refresh {
    pub(super) movies: Vec<TmdbId>,
    pub(super) due: bool,
}

/// Which dead letters, and how they are listed or replayed.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DeadLetters {
    ids: Option<Vec<i64>>,
    consumer: Option<String>,
    reason: Option<String>,
    all: bool,
    /// 1 to 1000, for a list.
    pub(super) limit: Option<i64>,
    pub(super) payload: Option<Value>,
    pub(super) again: bool,
}

impl DeadLetters {
    pub(super) fn selection(&self) -> DeadLetterSelection {
        DeadLetterSelection {
            ids: self.ids.clone(),
            consumer: self.consumer.clone(),
            reason: self.reason.clone(),
            all: self.all,
        }
    }
}
