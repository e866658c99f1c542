//! Removes old rows. Woken by ticks of action `maintain`; how long rows stay is the tick's payload.
//!
//! Idempotent: a redelivery finds nothing left to remove.

use delivery::{Delivery, Effect, Handler, Outcome};
use proto::{JobPayload, MessageKey, Retention, Tick};
use store::{RunRef, RunStart, Store};

use crate::MaintenanceError;

/// The consumer of ticks.
pub(crate) struct Maintain {
    pub(crate) store: Store,
}

impl Handler for Maintain {
    type Event = Tick;
    type Error = MaintenanceError;

    fn durable(&self) -> &'static str {
        "ticks-maintain"
    }

    async fn handle(&self, tick: Tick, delivery: &Delivery) -> Result<Outcome, MaintenanceError> {
        let keep = Retention::read(&tick.payload)?;
        let run = RunRef::from(&tick);
        if self.store.start_run(&run, &tick.payload).await? != RunStart::Open {
            return Ok(Outcome::Skipped("its run is over"));
        }
        let removed = self.store.maintain(&delivery.message, &run.run_id, &keep).await?;
        tracing::info!(removed, run.id = %run.run_id, "old rows were removed");
        Ok(Outcome::Done)
    }

    fn effect(&self, tick: &Tick, _: &MessageKey) -> Effect {
        Effect::Run { run: tick.run_id.clone() }
    }
}
