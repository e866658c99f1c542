//! Housekeeping: removes rows that are older than a job's payload says. Woken by ticks of action
//! `maintain`. The only owner of every "older than".

mod error;
mod maintain;

use std::sync::Arc;

use bus::{Bus, ConsumerArgs, consumer_child};
use runtime::{ChildSpec, Clock};
use store::Store;
use tokio_util::sync::CancellationToken;

pub use error::MaintenanceError;

/// What the service works with.
#[derive(Clone)]
pub struct Tools {
    /// NATS.
    pub bus: Bus,
    /// Postgres.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Cancelled when the service drains.
    pub drain: CancellationToken,
}

/// The children of this service's root.
#[must_use]
pub fn children(tools: &Tools) -> Vec<ChildSpec> {
    let maintain =
        maintain::Maintain { store: tools.store.clone(), clock: Arc::clone(&tools.clock) };
    vec![consumer_child(ConsumerArgs {
        bus: tools.bus.clone(),
        ledger: tools.store.clone(),
        handler: Arc::new(maintain),
        permits: 1,
        drain: tools.drain.clone(),
    })]
}
