//! Real `nats-server` and `postgres` child processes, for `mangoes up`, `mangoes demo` and tests.
//!
//! Both listen on free ports of the loopback address, keep their data in one directory between
//! runs, and never outlive this process, not even when it is killed. One run at a time uses a
//! directory; a lock file sees to that. Started by root, the servers run as `postgres` or `nobody`.

mod account;
mod binaries;
mod child;
mod cluster;
mod error;
mod nats;
mod place;
mod postgres;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::EmbeddedError;
pub use nats::{Member, Nats, new_password};
pub use place::remove_data;
pub use postgres::Postgres;

/// How long a server may take to answer after its process started.
const START_LIMIT: Duration = Duration::from_secs(9);

/// Where the servers keep their data and how careful they are.
#[derive(Debug, Clone)]
pub struct Options {
    /// Created if need be; `MANGOES_DATA_DIR`.
    pub data_dir: PathBuf,
    /// The port NATS should have; a free one is taken when it is busy or `None`.
    pub nats_port: Option<u16>,
    /// Whether data survives a power failure. False is faster, for tests only.
    pub durable: bool,
}

/// Both servers, running. Dropping them asks the processes to end; [`Servers::stop`] also waits for
/// that.
#[derive(Debug)]
pub struct Servers {
    /// The message broker.
    pub nats: Nats,
    /// The database.
    pub postgres: Postgres,
}

impl Servers {
    /// Starts both at the same time and waits until they answer. When one fails, the other is
    /// stopped again.
    ///
    /// # Errors
    /// Within 10 s, or more the first time, when Postgres makes its cluster: see [`EmbeddedError`].
    pub async fn start(options: &Options) -> Result<Self, EmbeddedError> {
        let (nats, postgres) = tokio::join!(Nats::start(options), Postgres::start(options));
        match (nats, postgres) {
            (Ok(nats), Ok(postgres)) => Ok(Self { nats, postgres }),
            (Err(error), Ok(postgres)) => postgres.stop().await.and(Err(error)),
            (Ok(nats), Err(error)) => nats.stop().await.and(Err(error)),
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// Starts only NATS; the same as [`Nats::start`].
    ///
    /// # Errors
    /// See [`Nats::start`].
    pub async fn start_nats(options: &Options) -> Result<Nats, EmbeddedError> {
        Nats::start(options).await
    }

    /// Starts only Postgres; the same as [`Postgres::start`].
    ///
    /// # Errors
    /// See [`Postgres::start`].
    pub async fn start_postgres(options: &Options) -> Result<Postgres, EmbeddedError> {
        Postgres::start(options).await
    }

    /// Where clients of NATS connect: `nats://mangoes:PASSWORD@127.0.0.1:PORT`.
    pub fn nats_url(&self) -> String {
        self.nats.nats_url()
    }

    /// Where clients of Postgres connect: `postgres://mangoes:PASSWORD@127.0.0.1:PORT/mangoes`.
    pub fn database_url(&self) -> String {
        self.postgres.database_url()
    }

    /// Ends both in order and waits until they are gone; one that takes too long is killed.
    ///
    /// # Errors
    /// A process survives SIGKILL for seconds.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        let (nats, postgres) = tokio::join!(self.nats.stop(), self.postgres.stop());
        nats.and(postgres)
    }
}

/// The `nats-server` that [`Nats`] starts, for a caller who starts one under rules of his own.
///
/// # Errors
/// When there is none that is new enough: see [`EmbeddedError`].
pub fn nats_server(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    binaries::Search::usual(data_dir).nats()
}

/// A port of the loopback address that is free at this moment.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> Result<u16, EmbeddedError> {
    let bound =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    Ok(bound.map_err(EmbeddedError::file("open a port on", "127.0.0.1"))?.port())
}

/// `bytes` random bytes from the system, in hexadecimal.
fn random_hex(bytes: usize) -> Result<String, EmbeddedError> {
    let mut buffer = vec![0; bytes];
    let filled = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut buffer));
    filled.map_err(EmbeddedError::file("read", "/dev/urandom"))?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}
