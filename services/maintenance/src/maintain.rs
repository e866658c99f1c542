//! Removes old rows. Woken by ticks of action `maintain`; how long rows stay is the tick's payload.

use std::sync::Arc;

use delivery::{Delivery, Handler, LedgerError, Letter, Outcome};
use proto::{JobPayload, Retention, Tick};
use runtime::Clock;
use store::{Effect, RunRef, Standing, Store};

use crate::MaintenanceError;

/// Idempotent: a redelivery finds nothing left to remove.
pub(crate) struct Maintain {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Handler for Maintain {
    const DURABLE: &'static str = "ticks-maintain";
    type Event = Tick;
    type Error = MaintenanceError;

    async fn handle(&self, tick: Tick, delivery: &Delivery) -> Result<Outcome, MaintenanceError> {
        let keep = Retention::read(&tick.payload)?;
        let run = RunRef {
            run_id: tick.run_id,
            job: tick.job,
            action: tick.action,
            trigger_type: tick.trigger_type,
            scheduled_for: tick.scheduled_for,
        };
        let now = self.clock.now();
        if self.store.start_run(&run, &tick.payload, now).await? != Standing::Open {
            return Ok(Outcome::Skipped("its run is over"));
        }
        let removed = self.store.maintain((Self::DURABLE, &delivery.key), &run, &keep, now).await?;
        tracing::info!(removed, run = %run.run_id, "old rows removed");
        Ok(Outcome::Done)
    }

    async fn bury(&self, tick: Option<Tick>, letter: Letter) -> Result<(), LedgerError> {
        let effect = tick.map_or(Effect::None, |t| Effect::Run { run_id: t.run_id });
        Ok(self.store.bury(&letter, &effect, self.clock.now()).await?)
    }
}
