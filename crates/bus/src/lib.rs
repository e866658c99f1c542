//! Delivery on NATS `JetStream`: topology, publishing, and consumers that turn an error's fate into
//! an ack kind.
//!
//! The only room that names `async_nats`, and the only one that settles messages. Settings live in
//! `nats/*.json`.

mod advisory;
mod check;
mod connection;
mod consumer;
mod key;
mod publish;
mod service;
mod settle;
pub mod topology;
mod unreadable;

pub use connection::{Bus, BusError, BusOptions};
pub use consumer::{ConsumerActor, ConsumerArgs, consumer_child};

pub use publish::{Outgoing, Published};
pub use service::{Answers, ServiceArgs, ServiceError, service_child};
