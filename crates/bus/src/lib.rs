//! Delivery on NATS `JetStream`: topology, publishing, and consumers that turn an error's fate into
//! an ack kind.
//!
//! The only room that names `async_nats`, and the only one that settles messages. Settings live in
//! `nats/*.json`.

mod connection;
mod consume;
mod message_key;
mod micro;
mod publish;
mod selfcheck;
pub mod topology;

pub use connection::{Bus, BusError, BusOptions};
pub use consume::{ConsumerArgs, consumer_child};
pub use micro::{Answers, ServiceArgs, ServiceError, service_child};
pub use publish::Outgoing;
