//! The operator's verbs, the same for the command line and for `nats req movies.api.<verb>`:
//! requests and answers are types, the rules behind them are the database's. Any replica answers.

pub mod dead;
mod error;
pub mod jobs;
pub mod movies;
mod verbs;

use std::sync::Arc;

use bus::{Bus, ServiceArgs, service_child};
use runtime::ChildSpec;
use store::Store;
use tokio_util::sync::CancellationToken;

pub use error::ApiError;
pub use store::Author;
use verbs::Verbs;

/// What the service works with.
#[derive(Clone)]
pub struct Tools {
    /// NATS.
    pub bus: Bus,
    /// Postgres.
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
        prefix: "movies.api",
        answers: Arc::new(Verbs {
            store: tools.store.clone(),
            bus: tools.bus.clone(),
            tmdb_rate: tools.tmdb_rate,
        }),
        drain: tools.drain.clone(),
    })]
}
