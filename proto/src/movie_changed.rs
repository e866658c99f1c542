//! The catalogue is different after a look at a movie.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{Event, TmdbId};

/// What became of a movie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The catalogue has it now.
    Created,
    /// Something that a person would call a change.
    Updated,
    /// TMDB answered 404 twice, at least a day apart. The row stays, as a tombstone.
    Removed,
    /// TMDB has it again.
    Restored,
}

/// How one field differs. A list has this shape always, also where it was or is empty or unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FieldChange {
    /// A list: what came and what went. The order of items is no change.
    List {
        /// Items that the field has now and did not have before.
        added: Vec<Value>,
        /// Items that it had before and has no more.
        removed: Vec<Value>,
        /// How many items more came or went, which are left out for their size.
        #[serde(default, skip_serializing_if = "is_zero")]
        omitted: usize,
    },
    /// Anything else: a text, a number, a truth value, or an object of a few of them. A long text
    /// is cut and ends in `…`.
    Scalar {
        /// The value before.
        old: Value,
        /// The value now.
        new: Value,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The short card of a movie: what a list of search results shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShortCard {
    /// Its key in `works`.
    pub work_id: i64,
    /// Its number at TMDB.
    pub tmdb_id: TmdbId,
    /// Its title.
    pub title: String,
    /// The year of its release.
    #[serde(default)]
    pub year: Option<i32>,
    /// Address of a poster.
    #[serde(default)]
    pub poster: Option<String>,
    /// Its score, 0 to 100.
    #[serde(default)]
    pub ai_score: Option<f64>,
}

impl ShortCard {
    /// The card that the app's table holds in `payload_short`. What is missing or odd in it stays
    /// empty.
    #[must_use]
    pub fn read(tmdb_id: TmdbId, short: &Value) -> Self {
        let of = |name: &str| short.get(name);
        Self {
            work_id: of("work_id").and_then(Value::as_i64).unwrap_or_default(),
            tmdb_id,
            title: of("title").and_then(Value::as_str).unwrap_or_default().to_owned(),
            year: of("year").and_then(Value::as_i64).and_then(|year| year.try_into().ok()),
            poster: of("poster").and_then(Value::as_str).map(ToOwned::to_owned),
            ai_score: of("ai_score").and_then(Value::as_f64),
        }
    }
}

/// A look after which the catalogue is different: one for every `movies.refreshed` whose outcome is
/// not `unchanged`. Who follows these events alone knows every movie that the catalogue holds.
///
/// Subject `movies.changed.<tmdb_id>`, stream `MOVIES_EVENTS`; from the outbox, to everybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MovieChanged {
    /// Its key in `works`.
    pub work_id: i64,
    /// Its number at TMDB.
    pub tmdb_id: TmdbId,
    /// Its title.
    pub title: String,
    /// What became of it.
    pub change: ChangeKind,
    /// Grows by one with each of these events of a movie, from 1: an event whose revision is not
    /// above the one that you have is old.
    pub revision: i64,
    /// When the answer was read that says so; UTC, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "crate::Rfc3339")]
    pub changed_at: OffsetDateTime,
    /// Why it was read: a word for people.
    pub cause: String,
    /// How each field that changed differs, by its name. Empty for a movie that is new or removed.
    pub diff: BTreeMap<String, FieldChange>,
    /// The movie as it is now; absent where it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<ShortCard>,
    /// Where TMDB merged a removed movie with another: the entry that has its imdb_id now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survivor: Option<TmdbId>,
}

impl Event for MovieChanged {
    const TYPE: &'static str = "movies.changed.v1";

    fn subject(&self) -> String {
        format!("movies.changed.{}", self.tmdb_id)
    }
}
