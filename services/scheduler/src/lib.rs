//! Turns nominal times into ticks, once each, however many schedulers run.
//!
//! Postgres is the truth (`job.next_at`), a unique row is the claim, `calendar` computes the times.
//! An alarm wakes the actor at the next nominal time; it may be late or lost, for a sweep runs
//! every second anyway.

mod claim;
mod decide;
mod error;
mod sweep;

use bus::Bus;
use runtime::ChildSpec;
use store::Store;
use tokio_util::sync::CancellationToken;

pub use error::SchedulerError;

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
    vec![sweep::child(tools.clone())]
}
