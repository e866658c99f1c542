//! What the servers are started with.

use std::{path::PathBuf, time::Duration};

/// How long a server may take to answer after its process started.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(9);

/// Where the servers keep their data, and how careful they are with it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Created if need be; `MANGOES_DATA_DIR`.
    pub data_dir: PathBuf,
    /// The port that NATS should have; a free one is taken when it is busy or `None`.
    pub nats_port: Option<u16>,
    /// Whether data survives a power failure. False is faster, for tests only.
    pub durable: bool,
}
