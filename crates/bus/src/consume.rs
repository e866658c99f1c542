//! Consuming: pulls as many messages as there are free permits, works on them concurrently, and
//! settles each after its work is committed.
//!
//! `actor` gives the pull loop a supervised life, `pull` fetches, `work` runs handlers and decides
//! with `delivery::verdict`, `settle` tells the broker; `unreadable` and `advisory` give up what
//! never comes to a handler. Limits: `nats/consumers/<durable>.json`; permits: the service.

mod actor;
mod advisory;
mod args;
mod decode;
mod handler;
mod pull;
pub(crate) mod settle;
mod unreadable;
mod work;

#[cfg(test)]
mod tests;

pub use actor::consumer_child;
pub use args::ConsumerArgs;
