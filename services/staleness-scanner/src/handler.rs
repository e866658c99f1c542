//! One scan: up to `limit` due movies, the longest due first, into the queue with their events.

use std::sync::Arc;

use delivery::{Delivery, Handler, Outcome};
use delivery::{LedgerError, Letter};
use proto::{JobPayload, ScanPayload, Tick};
use runtime::{Clock, RefreshMode};
use store::{Effect, RunRef, Standing, Store};

use crate::{Config, ScanError};

/// Writes `refresh_queue`, `sync_state` and the stale events in one transaction; a redelivery meets
/// its inbox row.
pub(crate) struct ScanHandler {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
}

impl Handler for ScanHandler {
    const DURABLE: &'static str = "ticks-scan";
    type Event = Tick;
    type Error = ScanError;

    async fn handle(&self, tick: Tick, delivery: &Delivery) -> Result<Outcome, ScanError> {
        let ScanPayload { limit } = ScanPayload::read(&tick.payload)?;
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
        let release = self.config.mode == RefreshMode::Continuous;
        let scan =
            self.store.scan((Self::DURABLE, &delivery.key), &run, (limit, release), now).await?;
        tracing::info!(queued = scan.queued, run = %run.run_id, "scanned");
        Ok(Outcome::Done)
    }

    async fn bury(&self, tick: Option<Tick>, letter: Letter) -> Result<(), LedgerError> {
        let effect = tick.map_or(Effect::None, |t| Effect::Run { run_id: t.run_id });
        Ok(self.store.bury(&letter, &effect, self.clock.now()).await?)
    }
}
