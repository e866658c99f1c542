//! What `bus` asks of the database: tries are counted there, and dead letters are kept there.
//! `store` implements it.

use std::{future::Future, time::Duration};

use proto::Reason;
use time::OffsetDateTime;

/// Where a message stands before its work begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its work is committed: only acknowledge it.
    pub handled: bool,
    /// Tries that failed so far.
    pub failed: i32,
    /// Tries that began and never ended: the process died under them.
    pub crashed: i32,
    /// When the first try began.
    pub first_at: OffsetDateTime,
}

/// A message that is given up.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The consumer that gives it up.
    pub consumer: &'static str,
    /// Its message key.
    pub message_key: String,
    /// Its subject.
    pub subject: String,
    /// Short code to group by.
    pub reason: Reason,
    /// The chain of errors.
    pub error: String,
    /// How often it was tried.
    pub tries: i32,
    /// Its payload as it came.
    pub payload: Vec<u8>,
    /// Its headers as a JSON object.
    pub headers: serde_json::Value,
    /// When its first try began.
    pub first_at: OffsetDateTime,
}

/// The database could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LedgerError(pub String);

/// Tries, handled messages and dead letters.
pub trait Ledger: Clone + Send + Sync + 'static {
    /// Notes that a try begins, for each key, before the work does. The answers come in the order
    /// of the keys.
    fn begin(
        &self,
        consumer: &'static str,
        keys: &[String],
    ) -> impl Future<Output = Result<Vec<Standing>, LedgerError>> + Send;

    /// Notes that a try failed.
    fn failed(
        &self,
        consumer: &'static str,
        key: &str,
        error: &str,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Takes back that a try began: it waits, or was handed back, and was not at fault.
    fn released(
        &self,
        consumer: &'static str,
        key: &str,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Notes that a suspect begins to run alone in its process. Returns how often the process died
    /// under it while it did.
    fn alone(
        &self,
        consumer: &'static str,
        key: &str,
    ) -> impl Future<Output = Result<i32, LedgerError>> + Send;

    /// How long to wait before asking again after an error.
    fn pause(&self) -> Duration {
        Duration::from_secs(1)
    }
}
