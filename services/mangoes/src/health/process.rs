//! A process, as far as its health is read off it.

use bus::Bus;
use store::Store;
use tokio_util::sync::CancellationToken;

/// What is asked for its health.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    /// Where this process calls TMDB.
    pub(crate) tmdb: Option<tmdb::Client>,
    /// Cancelled when it drains.
    pub(crate) drain: CancellationToken,
}
