//! Releases and repairs the refresh queue. Woken by ticks of action `refresh` (`refresh_worker`).
//!
//! Writes `refresh_queue`, the events of what it releases, and the run, in one transaction; a
//! redelivery meets its inbox row.

use std::sync::Arc;

use delivery::{Delivery, Effect, Handler, Outcome};
use proto::{JobPayload, MessageKey, RefreshPayload, Tick};
use runtime::Clock;
use store::{RunRef, Standing, Store};

use crate::RefreshError;

/// The consumer of ticks.
pub(crate) struct Sweep {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Handler for Sweep {
    type Event = Tick;
    type Error = RefreshError;

    fn durable(&self) -> &'static str {
        "ticks-refresh"
    }

    async fn handle(&self, tick: Tick, delivery: &Delivery) -> Result<Outcome, RefreshError> {
        let max = RefreshPayload::read(&tick.payload)?.max_items;
        let (run, now) = (RunRef::from(&tick), self.clock.now());
        if self.store.start_run(&run, &tick.payload, now).await? != Standing::Open {
            return Ok(Outcome::Skipped("its run is over"));
        }
        let released = self.store.release(&delivery.message, &run.run_id, max, now).await?;
        tracing::info!(released, run.id = %run.run_id, "the refresh queue was swept");
        Ok(Outcome::Done)
    }

    fn effect(&self, tick: &Tick, _: &MessageKey) -> Effect {
        Effect::Run { run: tick.run_id.clone() }
    }
}
