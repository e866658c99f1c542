//! The outbox relay: publishes what transactions wrote, in order, until the stream has confirmed
//! it.
//!
//! Runs in every process; one at a time holds the lock and publishes. Between the stream's
//! confirmation and the mark in the database a crash publishes again, with the same message ids. A
//! stream that was lost gets again what the outbox keeps.

mod error;
mod publish;
mod relay;
mod streams;

pub use relay::relay_child;
pub use streams::make_topology;
