//! What a service gives to `bus`: a handler that knows nothing of NATS.

use proto::{Event, MessageKey, RunId, TmdbId};

use crate::{Classify, Delivery};

/// How a message's work ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done and committed.
    Done,
    /// Nothing to do, and why.
    Skipped(&'static str),
}

/// What a dead letter has to settle beside itself, in the transaction that writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// An item of a run failed.
    Item { run: RunId, movie: TmdbId },
    /// A movie could not be refreshed: its queue row fails, scans leave it alone for a while.
    Refresh { run: Option<RunId>, movie: TmdbId },
    /// A whole run failed before it had items.
    Run { run: RunId },
}

/// A unit of work. It commits its effect together with the inbox row of `delivery.message`; `bus`
/// acks after it returned.
pub trait Handler: Send + Sync + 'static {
    /// What it is woken by.
    type Event: Event + Clone + Send + Sync;
    /// What can go wrong.
    type Error: Classify;

    /// The durable name of its consumer: a file in `nats/consumers`.
    fn durable(&self) -> &'static str;

    /// Does the work.
    fn handle(
        &self,
        event: Self::Event,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<Outcome, Self::Error>> + Send;

    /// What a dead letter of this event has to settle beside itself.
    fn effect(&self, event: &Self::Event, key: &MessageKey) -> Effect;
}
