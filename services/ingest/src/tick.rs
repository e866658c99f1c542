//! Reads the list that a job names. Woken by ticks of action `ingest`.

use delivery::{Delivery, Effect, Handler, Outcome};
use proto::{IngestList, JobPayload, MessageKey, Tick};
use store::{RunRef, RunStart};

use crate::{CANCELLED, IngestError, lists::Lists};

/// The consumer of ticks.
pub(crate) struct ListByTick(pub(crate) Lists);

impl Handler for ListByTick {
    type Event = Tick;
    type Error = IngestError;

    fn durable(&self) -> &'static str {
        "ticks-ingest"
    }

    async fn handle(&self, tick: Tick, delivery: &Delivery) -> Result<Outcome, IngestError> {
        let mut list = IngestList::read(&tick.payload)?;
        list.trigger_type = tick.trigger_type;
        match self.0.run(delivery, &list, &RunRef::from(&tick)).await? {
            RunStart::Open => Ok(Outcome::Done),
            RunStart::Cancelled => Ok(Outcome::Skipped(CANCELLED)),
            RunStart::Over => Ok(Outcome::Skipped("its run is over")),
        }
    }

    fn effect(&self, tick: &Tick, _: &MessageKey) -> Effect {
        Effect::Run { run: tick.run_id.clone() }
    }
}
