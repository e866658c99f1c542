//! A message as its consumer knows it.

use proto::{MessageKey, TraceId};

/// A message of one consumer: the key of its `inbox` row, of its attempts and of its dead letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageRef {
    /// The durable name of the consumer: a file in `nats/consumers`.
    pub consumer: &'static str,
    /// By what the consumer knows the message.
    pub key: MessageKey,
}

/// What a handler may know of the message in flight.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The key of the inbox row that the handler's transaction writes.
    pub message: MessageRef,
    /// The subject that it came on.
    pub subject: String,
    /// Attempts that failed so far.
    pub failed_attempts: i32,
    /// The trace that its sender gave it; what follows from the message goes on with it.
    pub trace: Option<TraceId>,
}
