//! Reads a list that an app or a person asked for. Woken by `IngestList` on `movies.ingest.list`.
//!
//! Writes the run, its items and a message for each new title in one transaction; a redelivery
//! finds the same run.

use delivery::{Delivery, Effect, Handler, Outcome};
use proto::{Action, IngestList, JobName, MessageKey, RunId};
use store::{RunRef, RunStart};
use time::OffsetDateTime;

use crate::{CANCELLED, IngestError, lists::Lists};

/// The consumer of lists.
pub(crate) struct List(pub(crate) Lists);

/// The run of a list: named by the sender, or after the message.
fn run_id(event: &IngestList, key: &MessageKey) -> RunId {
    event.run_id.clone().unwrap_or_else(|| RunId::of_list(key))
}

fn run_of(event: &IngestList, key: &MessageKey, now: OffsetDateTime) -> RunRef {
    RunRef {
        run_id: run_id(event, key),
        job: JobName::manual(),
        action: Action::Ingest,
        trigger_type: event.trigger_type,
        scheduled_for: now,
    }
}

impl Handler for List {
    type Event = IngestList;
    type Error = IngestError;

    fn durable(&self) -> &'static str {
        "ingest-list"
    }

    async fn handle(&self, event: IngestList, delivery: &Delivery) -> Result<Outcome, IngestError> {
        if let Some(id) = &event.run_id
            && self.0.store.is_kept_for_a_job(id).await?
        {
            return Err(IngestError::RunIdKept(id.clone()));
        }
        let key = &delivery.message.key;
        let run = run_of(&event, key, self.0.clock.now());
        match self.0.run(delivery, &event, &run).await? {
            RunStart::Open => Ok(Outcome::Done),
            RunStart::Cancelled => Ok(Outcome::Skipped(CANCELLED)),
            // Sent again for a run whose first message was not lost after all.
            RunStart::Over if key.starts_with(&format!("{}:again:", run.run_id)) => {
                Ok(Outcome::Skipped("its run is over"))
            }
            RunStart::Over => Err(IngestError::RunOver(run.run_id)),
        }
    }

    fn effect(&self, event: &IngestList, key: &MessageKey) -> Effect {
        Effect::Run { run: run_id(event, key) }
    }
}
