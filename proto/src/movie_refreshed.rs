//! A movie was read from TMDB and stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{Event, TmdbId};

/// What a refresh did to the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefreshOutcome {
    /// The movie is new in the catalogue.
    Created,
    /// Something that a person would call a change.
    Updated,
    /// Nothing but votes or popularity moved.
    Unchanged,
}

/// A movie was read from TMDB and stored; the catalogue is as fresh as `refreshed_at`.
///
/// Subject `movies.refreshed.<tmdb_id>`, stream `MOVIES_EVENTS`; from the outbox, to everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovieRefreshed {
    /// Its key in `works`.
    pub work_id: i64,
    /// Its number at TMDB.
    pub tmdb_id: TmdbId,
    /// Its title.
    pub title: String,
    /// What the refresh did.
    pub outcome: RefreshOutcome,
    /// Grows by one per real change, from 1.
    pub revision: i64,
    /// Names of the fields that changed; empty for a new movie.
    pub changed: Vec<String>,
    /// When the answer was read; UTC, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub refreshed_at: OffsetDateTime,
    /// Why it was read: a word for people.
    pub cause: String,
}

impl Event for MovieRefreshed {
    const TYPE: &'static str = "movies.refreshed.v1";

    fn subject(&self) -> String {
        format!("movies.refreshed.{}", self.tmdb_id)
    }
}
