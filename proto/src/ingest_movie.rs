//! Bring one movie into the catalogue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Event, RunId, TmdbId};

/// Fetch a movie from TMDB and store it, unless the catalogue has it.
///
/// Subject `movies.ingest.movie`, stream `MOVIES_INGEST`; from the list fan-out, any app or a
/// person, to `ingest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IngestMovie {
    /// Which movie.
    pub tmdb_id: TmdbId,
    /// The run that it is an item of, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Fetch it also when the catalogue has it and it is fresh.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

impl Event for IngestMovie {
    const TYPE: &'static str = "movies.ingest.movie.v1";

    fn subject(&self) -> String {
        "movies.ingest.movie".to_owned()
    }
}
