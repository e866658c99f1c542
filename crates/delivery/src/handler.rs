//! What a service gives to `bus`: a handler that knows nothing of NATS.

use crate::{Classify, LedgerError, Letter};
use proto::Event;

/// How a message's work ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done and committed.
    Done,
    /// Nothing to do, and why.
    Skipped(&'static str),
}

/// What a handler may know of the message at hand.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Message id, or stream, time and sequence where the sender gave none: the inbox key.
    pub key: String,
    /// Subject that it came on.
    pub subject: String,
    /// Tries that failed so far.
    pub failed_tries: i32,
}

/// A unit of work. It commits its effect together with the inbox row of `delivery.key`; `bus` acks
/// after it returned.
pub trait Handler: Send + Sync + 'static {
    /// The consumer: a file in `nats/consumers`.
    const DURABLE: &'static str;
    /// What it is woken by.
    type Event: Event + Clone + Send + Sync;
    /// What can go wrong.
    type Error: Classify;

    /// Does the work.
    fn handle(
        &self,
        event: Self::Event,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<Outcome, Self::Error>> + Send;

    /// Writes the dead letter, with what it means for the event's run or movie, in one transaction.
    /// `None`: it did not decode.
    fn bury(
        &self,
        event: Option<Self::Event>,
        letter: Letter,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;
}
