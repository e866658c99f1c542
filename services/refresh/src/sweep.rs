//! Releases and repairs the refresh queue, and queues what is due by more than its age. Woken by
//! ticks of action `refresh` (`refresh_worker`).
//!
//! Writes `refresh_item`, the events of what it releases, and the run, in one transaction; a
//! redelivery meets its inbox row.

use delivery::{Delivery, Effect, Handler, Outcome};
use proto::{JobPayload, MessageKey, RefreshPayload, Tick};
use runtime::RefreshMode;
use store::{ReleaseOrder, RunRef, RunStart, Store};

use crate::RefreshError;

/// The consumer of ticks.
pub(crate) struct Sweep {
    pub(crate) store: Store,
    /// In `PerTick` mode all that is queued waits for ticks.
    pub(crate) mode: RefreshMode,
}

impl Handler for Sweep {
    type Event = Tick;
    type Error = RefreshError;

    fn durable(&self) -> &'static str {
        "ticks-refresh"
    }

    async fn handle(&self, tick: Tick, delivery: &Delivery) -> Result<Outcome, RefreshError> {
        let order = ReleaseOrder {
            limit: RefreshPayload::read(&tick.payload)?.max_items,
            release_wanted: self.mode == RefreshMode::Continuous,
        };
        let run = RunRef::from(&tick);
        if self.store.start_run(&run, &tick.payload).await? != RunStart::Open {
            return Ok(Outcome::Skipped("its run is over"));
        }
        let released = self.store.release(&delivery.message, &run.run_id, order).await?;
        tracing::info!(released, run.id = %run.run_id, "the refresh queue was swept");
        Ok(Outcome::Done)
    }

    fn effect(&self, tick: &Tick, _: &MessageKey) -> Effect {
        Effect::Run { run: tick.run_id.clone() }
    }
}
