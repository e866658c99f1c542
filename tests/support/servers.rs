//! Servers of a test's own, without the program.

use embedded::{Options, Postgres, Servers};
use tmdb_sim::Sim;

use crate::folder::Folder;

/// The credential that the simulator takes.
pub const CREDENTIAL: &str = "sesame";

/// Servers in the folder, on free ports.
pub fn options(folder: &Folder) -> Options {
    Options { data_dir: folder.0.join("servers"), nats_port: None, durable: false }
}

/// NATS and Postgres.
pub async fn servers(folder: &Folder) -> Servers {
    Servers::start(&options(folder)).await.unwrap()
}

/// Postgres alone.
pub async fn postgres(folder: &Folder) -> Postgres {
    Postgres::start(&options(folder)).await.unwrap()
}

/// A simulator in TMDB's place that wants to know who asks.
pub async fn simulator() -> Sim {
    let credential = Some(CREDENTIAL.to_owned());
    Sim::start(tmdb_sim::Options { credential, ..tmdb_sim::Options::default() }).await.unwrap()
}
