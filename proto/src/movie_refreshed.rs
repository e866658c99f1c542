//! A look at a movie is complete.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{ChangeKind, Event, TmdbId};

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
    /// TMDB does not have it any more: it answered 404 twice, at least a day apart.
    Removed,
    /// TMDB has it again.
    Restored,
}

impl RefreshOutcome {
    /// As events and the timeline write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
            Self::Restored => "restored",
        }
    }

    /// What `movies.changed` says of it; `None`: the catalogue is as it was.
    #[must_use]
    pub const fn change(self) -> Option<ChangeKind> {
        match self {
            Self::Created => Some(ChangeKind::Created),
            Self::Updated => Some(ChangeKind::Updated),
            Self::Unchanged => None,
            Self::Removed => Some(ChangeKind::Removed),
            Self::Restored => Some(ChangeKind::Restored),
        }
    }
}

/// A look at a movie is complete; the catalogue is as fresh as `refreshed_at`. One 404 completes
/// none: the second one, at least a day later, does.
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
    /// Grows by one per change, from 1.
    pub revision: i64,
    /// Names of the fields that changed; empty for a movie that is new or removed.
    pub changed: Vec<String>,
    /// When the answer was read; UTC, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "crate::Rfc3339")]
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
