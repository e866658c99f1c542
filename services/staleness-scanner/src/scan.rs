//! One scan: up to `limit` due movies, the longest due first, into the queue with their events.
//! Woken by ticks of action `scan`.
//!
//! Writes `refresh_item`, `sync_state`, the run with its items and the stale events in one
//! transaction; a redelivery meets its inbox row.

use delivery::{Delivery, Effect, Handler, Outcome};
use proto::{JobPayload, MessageKey, ScanPayload, Tick};
use runtime::RefreshMode;
use store::{RunRef, RunStart, ScanOrder, Store};

use crate::ScanError;

/// The consumer of ticks.
pub(crate) struct Scan {
    pub(crate) store: Store,
    /// In `PerTick` mode the events are left to `refresh_worker`.
    pub(crate) mode: RefreshMode,
}

impl Handler for Scan {
    type Event = Tick;
    type Error = ScanError;

    fn durable(&self) -> &'static str {
        "ticks-scan"
    }

    async fn handle(&self, tick: Tick, delivery: &Delivery) -> Result<Outcome, ScanError> {
        let limit = ScanPayload::read(&tick.payload)?.limit;
        let run = RunRef::from(&tick);
        if self.store.start_run(&run, &tick.payload).await? != RunStart::Open {
            return Ok(Outcome::Skipped("its run is over"));
        }
        let order = ScanOrder { limit, release: self.mode == RefreshMode::Continuous };
        let queued = self.store.scan(&delivery.message, &run.run_id, order).await?;
        tracing::info!(queued, run.id = %run.run_id, "due movies were queued");
        Ok(Outcome::Done)
    }

    fn effect(&self, tick: &Tick, _: &MessageKey) -> Effect {
        Effect::Run { run: tick.run_id.clone() }
    }
}
