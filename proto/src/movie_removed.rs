//! TMDB no longer has a movie of the catalogue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{Event, TmdbId};

/// TMDB answered 404 twice, at least a day apart. The row stays, as a tombstone.
///
/// Subject `movies.removed.<tmdb_id>`, stream `MOVIES_EVENTS`; from the outbox, to everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovieRemoved {
    /// Its key in `works`.
    pub work_id: i64,
    /// Its number at TMDB.
    pub tmdb_id: TmdbId,
    /// Its title.
    pub title: String,
    /// When the second 404 was read; UTC, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub removed_at: OffsetDateTime,
    /// The entry that has its imdb_id now, where TMDB merged the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survivor: Option<TmdbId>,
}

impl Event for MovieRemoved {
    const TYPE: &'static str = "movies.removed.v1";

    fn subject(&self) -> String {
        format!("movies.removed.{}", self.tmdb_id)
    }
}
