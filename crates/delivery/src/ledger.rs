//! What `bus` asks of the database: attempts are counted there, and dead letters are kept there.
//! `store` implements it.

use std::{pin::Pin, time::Duration};

use proto::{MessageKey, Reason};
use time::OffsetDateTime;

use crate::{Effect, MessageRef};

/// What is known of a message before its work begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempts {
    /// Its work is committed: only acknowledge it.
    pub handled: bool,
    /// Attempts that failed so far.
    pub failed: i32,
    /// Attempts that began and did not end: the process died during them.
    pub crashed: i32,
    /// When the first attempt began.
    pub first_at: OffsetDateTime,
}

/// A message that is given up.
#[derive(Debug, Clone)]
pub struct DeadMessage {
    /// The message and the consumer that gives it up.
    pub message: MessageRef,
    /// Its subject.
    pub subject: String,
    /// Why.
    pub reason: Reason,
    /// The chain of errors, for people.
    pub error: String,
    /// How often the work was attempted.
    pub attempts: i32,
    /// Its payload as it came.
    pub payload: Vec<u8>,
    /// Its headers as a JSON object.
    pub headers: serde_json::Value,
    /// When its first attempt began.
    pub first_at: OffsetDateTime,
}

/// The database could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LedgerError(pub String);

/// What the ledger answers, some time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerError>> + Send + 'a>>;

/// Attempts, handled messages and dead letters. Its methods give boxed futures, so that what
/// consumes messages is compiled once and not once per handler.
pub trait Ledger: Send + Sync + 'static {
    /// Records that an attempt begins, for each key, before the work does. The answers come in the
    /// order of the keys.
    fn begin<'a>(
        &'a self,
        consumer: &'static str,
        keys: &'a [MessageKey],
    ) -> Answer<'a, Vec<Attempts>>;

    /// Records that an attempt failed.
    fn failed<'a>(&'a self, message: &'a MessageRef, error: &'a str) -> Answer<'a, ()>;

    /// Takes back that an attempt began: the message waits, or was handed back, and was not at
    /// fault. `why` is for people who wonder what it waits for.
    fn released<'a>(&'a self, message: &'a MessageRef, why: &'a str) -> Answer<'a, ()>;

    /// Records that a suspect begins to run alone in its process. Returns how often the process
    /// died while it did.
    fn alone<'a>(&'a self, message: &'a MessageRef) -> Answer<'a, i32>;

    /// Writes the dead letter with what it has to settle, in one transaction; once, however often
    /// it is asked to.
    fn dead_letter<'a>(&'a self, dead: &'a DeadMessage, effect: &'a Effect) -> Answer<'a, ()>;

    /// How long to wait before asking again after an error.
    fn pause(&self) -> Duration {
        Duration::from_secs(1)
    }
}
