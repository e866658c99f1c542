//! Why the relay could not do its step; the next step repeats it.

use bus::BusError;
use store::StoreError;

/// Why the relay could not do its step.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Topology(BusError),
    /// A stream belongs to another installation: nothing may be published into it.
    #[error("{0}")]
    Disowned(String),
}
