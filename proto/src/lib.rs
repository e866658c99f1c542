//! The event contracts: what travels on NATS, as types.
//!
//! One module per event. Only these types are serialised onto a subject; additive evolution only: a
//! new optional field keeps the version, anything else is a new type, a new `v2` and a new golden
//! file. `schemas/*.json` and `asyncapi.json` are generated from the types (`MANGOES_BLESS=1 cargo
//! test -p proto`); a difference fails the tests.

mod action;
mod api_verb;
mod dead_letter;
mod diff_fields;
mod ids;
mod ingest_list;
mod ingest_movie;
mod job;
mod lane;
mod movie_changed;
mod movie_refreshed;
mod movie_stale;
mod payload;
mod reason;
mod rfc3339;
mod run_event;
pub mod spec;
mod tick;
mod trace;

use serde::{Serialize, de::DeserializeOwned};

pub use action::Action;
pub use api_verb::{API_VERBS, ApiVerb};
pub use dead_letter::DeadLetter;
pub use diff_fields::{DIFF_FIELDS, DiffField, FieldShape};
pub use ids::{InvalidTmdbId, JobName, MAX_MOVIES_LIMIT, MaxMovies, MessageKey, RunId, TmdbId};
pub use ingest_list::{IngestList, ListSource};
pub use ingest_movie::IngestMovie;
pub use job::{JobLimit, OverlapPolicy, RunState};
pub use lane::Lane;
pub use movie_changed::{ChangeKind, FieldChange, MovieChanged, ShortCard};
pub use movie_refreshed::{MovieRefreshed, RefreshOutcome};
pub use movie_stale::MovieStale;
pub use payload::{
    FeedPayload, InvalidPayload, JobPayload, RefreshPayload, Retention, ScanPayload,
};
pub use reason::Reason;
pub use rfc3339::Rfc3339;
pub use run_event::{RunCounts, RunEvent, RunStatus};
pub use tick::{Tick, TriggerType};
pub use trace::TraceId;

/// A message that travels on a subject.
pub trait Event: Serialize + DeserializeOwned {
    /// The CloudEvents `ce-type`; the version lives here.
    const TYPE: &'static str;

    /// The subject it is published on.
    fn subject(&self) -> String;

    /// What it is about, in the words of its sender: CloudEvents `ce-subject`. By default what its
    /// subject ends with: the number of a movie, the name of a job or a consumer.
    fn about(&self) -> String {
        let subject = self.subject();
        subject.rsplit('.').next().unwrap_or_default().to_owned()
    }
}
