//! Bring one movie into the catalogue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Event, RunId, TmdbId};

/// Fetch a movie from TMDB and store it, unless the catalogue has it.
///
/// Subject `movies.ingest.movie`, stream `MOVIES_INGEST`; from any app or a person, to `ingest`. An
/// item of a run is sent by mangoes alone, on `movies.ingest.listed`, so that a flood of the others
/// holds up no run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IngestMovie {
    /// Which movie.
    #[schemars(schema_with = "crate::ids::written_tmdb_id")]
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
        let queue = if self.run_id.is_some() { "listed" } else { "movie" };
        format!("movies.ingest.{queue}")
    }

    fn about(&self) -> String {
        self.tmdb_id.to_string()
    }
}
