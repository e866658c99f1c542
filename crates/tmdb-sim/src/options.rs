//! What a simulator is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// What a simulated upstream serves, and how badly it behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The number that every invented value is derived from.
    pub seed: u64,
    /// Number of ids in the catalogue; memory does not grow with it.
    pub movies: u64,
    /// Movies in a thousand whose lists are short, as those of most titles are. The others have
    /// what a well-known movie has: 80 KB in the mean.
    pub obscure: u64,
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
            obscure: 0,
            latency: Duration::ZERO,
            rate_limit: 0,
            retry_after: false,
            credential: None,
            recorded: None,
        }
    }
}
