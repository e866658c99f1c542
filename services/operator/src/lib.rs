//! What people may do with jobs, runs, dead letters and movies: the only place that knows it.
//!
//! The command line calls these functions; everybody else asks for `movies.api.<noun>.<verb>` by
//! NATS, and any replica answers. Requests and answers are types. Rules that also hold for SQL are
//! functions of the database. Whatever is compared with "now" is compared with the database's
//! clock. A change leaves a row in `job_audit` that names its author; a request with an id that was
//! used before is not done again.

pub mod answers;
mod client;
pub mod dead;
mod error;
pub mod jobs;
mod kept;
mod moment;
pub mod movies;
mod requests;
pub mod status;
mod verb;

use std::sync::Arc;

use bus::{Bus, ServiceArgs, service_child};
use runtime::ChildSpec;
use store::Store;
use tokio_util::sync::CancellationToken;

pub use client::Client;
pub use error::{Noun, OperatorError};
pub use moment::{Moment, Span};
use requests::Requests;
pub use requests::contract;
pub use store::Author;

/// What the service works with.
#[derive(Clone)]
pub struct Tools {
    pub bus: Bus,
    pub store: Store,
    /// TMDB calls per second of the whole installation; 0 = no limit. For estimates.
    pub tmdb_rate: u32,
    /// Cancelled when the process drains.
    pub drain: CancellationToken,
}

/// The children of this service's root.
#[must_use]
pub fn children(tools: &Tools) -> Vec<ChildSpec> {
    vec![service_child(ServiceArgs {
        bus: tools.bus.clone(),
        name: "mangoes",
        description: "Jobs, movies and dead letters of mangoes",
        prefix: client::API,
        answers: Arc::new(Requests {
            store: tools.store.clone(),
            bus: tools.bus.clone(),
            tmdb_rate: tools.tmdb_rate,
        }),
        drain: tools.drain.clone(),
    })]
}
