//! What can go wrong with a scan.

use runtime::{Classify, Fate};
use store::StoreError;

/// Why a scan did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A job's payload does not fit its action.
    #[error(
        "the job's payload does not fit the action scan: limit must be a whole number from 1 to {MAX_LIMIT}"
    )]
    Payload,
}

/// Most movies that one scan may queue.
pub(crate) const MAX_LIMIT: i64 = 1_000_000;

impl Classify for ScanError {
    fn fate(&self) -> Fate {
        match self {
            Self::Store(e) => e.fate(),
            Self::Payload => Fate::Reject("invalid-payload"),
        }
    }
}
