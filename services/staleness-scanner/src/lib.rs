//! Looks for due movies and queues them. Woken by ticks of action `scan`.

mod config;
mod error;
mod handler;

use std::sync::Arc;

use bus::{Bus, ConsumerArgs, consumer_child};
use runtime::{ChildSpec, Clock};
use store::Store;
use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use error::ScanError;

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
pub fn children(tools: &Tools, config: Config) -> Vec<ChildSpec> {
    let handler = handler::ScanHandler {
        store: tools.store.clone(),
        clock: Arc::clone(&tools.clock),
        config,
    };
    vec![consumer_child(ConsumerArgs {
        bus: tools.bus.clone(),
        ledger: tools.store.clone(),
        handler: Arc::new(handler),
        permits: 1,
        drain: tools.drain.clone(),
    })]
}
