//! The event contracts: what travels on NATS, as types.
//!
//! One module per event. Only these types are serialised onto a subject; additive evolution only: a
//! new optional field keeps the version, anything else is a new type, a new `v2` and a new golden
//! file. `schemas/*.json` and `asyncapi.json` are generated from the types (`MANGOES_BLESS=1 cargo
//! test -p proto`); a difference fails the tests.

mod action;
mod dead_letter;
mod ids;
mod ingest_list;
mod ingest_movie;
mod job;
mod lane;
mod movie_changed;
mod movie_refreshed;
mod movie_removed;
mod movie_stale;
mod payload;
mod reason;
mod run_event;
pub mod spec;
mod tick;

use serde::{Serialize, de::DeserializeOwned};

pub use action::Action;
pub use dead_letter::DeadLetter;
pub use ids::{InvalidTmdbId, JobName, MAX_MOVIES_LIMIT, MaxMovies, MessageKey, RunId, TmdbId};
pub use ingest_list::{IngestList, ListSource};
pub use ingest_movie::IngestMovie;
pub use job::{JobLimit, OverlapPolicy, RunState};
pub use lane::Lane;
pub use movie_changed::{FieldChange, MovieChanged};
pub use movie_refreshed::{MovieRefreshed, RefreshOutcome};
pub use movie_removed::MovieRemoved;
pub use movie_stale::MovieStale;
pub use payload::{InvalidPayload, JobPayload, RefreshPayload, Retention, ScanPayload};
pub use reason::Reason;
pub use run_event::{RunCounts, RunEvent, RunStatus};
pub use tick::{Tick, TriggerType};

/// A message that travels on a subject.
pub trait Event: Serialize + DeserializeOwned {
    /// The CloudEvents `ce-type`; the version lives here.
    const TYPE: &'static str;

    /// The subject it is published on.
    fn subject(&self) -> String;
}
