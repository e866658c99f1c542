//! Delivery on NATS `JetStream`: topology, publishing, and consumers that turn an error's fate into
//! an ack kind.
//!
//! The only room that names `async_nats`, and the only one that settles messages. Settings live in
//! `nats/*.json`.

mod ask;
mod connection;
mod consume;
mod follow;
mod login;
mod message_key;
mod micro;
mod names;
pub mod permissions;
mod publish;
mod selfcheck;
mod tls;
pub mod topology;

pub use connection::{Bus, BusError, BusOptions, JetStreamApi};
pub use consume::{ConsumerArgs, consumer_child};
pub use follow::{FollowOptions, Followed, Follower};
pub use login::Login;
pub use micro::{Answers, ServiceArgs, ServiceError, service_child};
pub use names::Namespace;
pub use publish::Outgoing;
pub use tls::{Certificate, TlsFiles};
