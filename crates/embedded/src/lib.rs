//! Real `nats-server` and `postgres` child processes, for `mangoes up`, `mangoes demo` and tests.
//!
//! Both listen on free ports of the loopback address, keep their data in one directory between
//! runs, and never outlive this process, not even when it is killed. One run at a time uses a
//! directory; a lock file sees to that. Started by root, the servers run as `postgres` or `nobody`.

mod account;
mod binaries;
mod child;
mod data_dir;
mod error;
mod files;
mod log;
mod nats;
mod nats_settings;
mod options;
mod postgres;
mod postgres_cluster;
mod servers;
mod system;
#[cfg(test)]
mod tests;

pub use binaries::nats_server;
pub use data_dir::remove_data;
pub use error::EmbeddedError;
pub use nats::Nats;
pub use nats_settings::Member;
pub use options::Options;
pub use postgres::Postgres;
pub use servers::Servers;
pub use system::{free_port, new_password};
