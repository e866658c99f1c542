//! What a simulator is started with, and why it may not start.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// What a simulated upstream serves and how badly it behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The number every invented value is derived from.
    pub seed: u64,
    /// Number of ids in the catalogue; memory does not grow with it.
    pub movies: u64,
    /// Mean latency added to every answer, exponentially distributed.
    pub latency: Duration,
    /// Requests answered in any second, the others get 429; 0 for no limit.
    pub rate_limit: u32,
    /// Whether a 429 carries `Retry-After`.
    pub retry_after: bool,
    /// The only accepted bearer token or `api_key`; without one any non-empty credential will do.
    pub credential: Option<String>,
    /// Directory of recorded answers to serve instead of the invented catalogue.
    pub recorded: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 7,
            movies: 100_000,
            latency: Duration::ZERO,
            rate_limit: 0,
            retry_after: false,
            credential: None,
            recorded: None,
        }
    }
}

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The port is taken or the address is not this machine's.
    #[error("the simulator cannot listen on {address}; is the port busy?")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The directory of recorded answers, or a file in it, cannot be read.
    #[error("recorded answers at {} cannot be read", path.display())]
    Unreadable {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A recorded list is not what the upstream would send.
    #[error("recorded list {} is not a JSON page of rows", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// No movie was recorded.
    #[error("no recorded movie in {}: files like movie/603.json are expected", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
}
