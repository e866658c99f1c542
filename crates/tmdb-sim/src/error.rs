//! Why a simulator did not start.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The port is taken or the address is not this machine's.
    #[error("the simulator cannot listen on {address}: stop what uses the port, or choose another")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The directory of recorded answers, or a file in it, cannot be read.
    #[error("cannot read the recorded answers at {}: check path and rights", path.display())]
    Unreadable {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A recorded list is not what the upstream would send.
    #[error("the recorded list {} is not a JSON page of rows: record it again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// No movie was recorded.
    #[error("no recorded movie in {}: put files such as movie/603.json there", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
}
