//! Housekeeping: removes rows that are older than a job's payload says, woken by ticks of action
//! `maintain`; applies edits; counts what looks show. The only owner of every "older than".

mod delivery_retention;
mod edits;
mod error;
mod maintain;
mod repeated;
mod sampler;

use std::sync::Arc;

use bus::{Bus, ConsumerArgs, consumer_child};
use runtime::ChildSpec;
use store::Store;
use tokio_util::sync::CancellationToken;

use edits::Edits;
pub use error::MaintenanceError;
use maintain::Maintain;
use sampler::Sampler;

/// What the service works with.
#[derive(Clone)]
pub struct Tools {
    pub bus: Bus,
    pub store: Store,
    /// Cancelled when the service drains.
    pub drain: CancellationToken,
}

/// The children of this service's root.
#[must_use]
pub fn children(tools: &Tools) -> Vec<ChildSpec> {
    let maintain = Maintain { store: tools.store.clone() };
    let args = ConsumerArgs {
        bus: tools.bus.clone(),
        ledger: Arc::new(tools.store.clone()),
        permits: 1,
        drain: tools.drain.clone(),
    };
    vec![
        delivery_retention::child(tools.store.clone()),
        repeated::child::<Edits>(tools.store.clone()),
        repeated::child::<Sampler>(tools.store.clone()),
        consumer_child(maintain, args),
    ]
}
