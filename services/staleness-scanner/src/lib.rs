//! Looks for due movies and queues them. Woken by ticks of action `scan`.

mod error;
mod scan;

use std::sync::Arc;

use bus::{Bus, ConsumerArgs, consumer_child};
use runtime::{ChildSpec, RefreshMode};
use store::Store;
use tokio_util::sync::CancellationToken;

pub use error::ScanError;
use scan::Scan;

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
pub fn children(tools: &Tools, mode: RefreshMode) -> Vec<ChildSpec> {
    let scan = Scan { store: tools.store.clone(), mode };
    let args = ConsumerArgs {
        bus: tools.bus.clone(),
        ledger: Arc::new(tools.store.clone()),
        permits: 1,
        drain: tools.drain.clone(),
    };
    vec![consumer_child(scan, args)]
}
