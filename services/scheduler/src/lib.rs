//! Turns nominal times into ticks, once each, however many schedulers run.
//!
//! Postgres is the truth (`job.next_at`), a unique row is the claim, `calendar` computes the times.
//! `alarm` wakes the actor at the next nominal time; it may be late or lost, for a sweep runs every
//! second anyway.

mod alarm;
mod calendar;
mod config;
mod error;
mod handler;
mod maintain;

use std::sync::Arc;

use bus::{Bus, ConsumerArgs, consumer_child};
use runtime::{ChildSpec, Clock};
use store::Store;
use tokio_util::sync::CancellationToken;

pub use calendar::{Calendar, Gap, Overlap, clock_is_set_near, local, next_times};
pub use config::Config;
pub use error::SchedulerError;
pub use maintain::check_retention;

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
    let maintain =
        maintain::MaintainHandler { store: tools.store.clone(), clock: Arc::clone(&tools.clock) };
    vec![
        handler::child(tools.clone(), config),
        consumer_child(ConsumerArgs {
            bus: tools.bus.clone(),
            ledger: tools.store.clone(),
            handler: Arc::new(maintain),
            permits: 1,
            drain: tools.drain.clone(),
        }),
    ]
}
