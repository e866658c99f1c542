//! Releases and repairs the refresh queue. Woken by ticks of action `refresh` (`refresh_worker`).
//!
//! Writes `refresh_item`, the events of what it releases, and the run, in one transaction; a
//! redelivery meets its inbox row.

use delivery::{Delivery, Effect, Handler, Outcome};
use proto::{JobPayload, MessageKey, RefreshPayload, Tick};
use store::{RunRef, RunStart, Store};

use crate::RefreshError;

/// The consumer of ticks.
pub(crate) struct Sweep {
    pub(crate) store: Store,
}

impl Handler for Sweep {
    type Event = Tick;
    type Error = RefreshError;

    fn durable(&self) -> &'static str {
        "ticks-refresh"
    }

    async fn handle(&self, tick: Tick, delivery: &Delivery) -> Result<Outcome, RefreshError> {
        let max = RefreshPayload::read(&tick.payload)?.max_items;
        let run = RunRef::from(&tick);
        if self.store.start_run(&run, &tick.payload).await? != RunStart::Open {
            return Ok(Outcome::Skipped("its run is over"));
        }
        let released = self.store.release(&delivery.message, &run.run_id, max).await?;
        tracing::info!(released, run.id = %run.run_id, "the refresh queue was swept");
        Ok(Outcome::Done)
    }

    fn effect(&self, tick: &Tick, _: &MessageKey) -> Effect {
        Effect::Run { run: tick.run_id.clone() }
    }
}
