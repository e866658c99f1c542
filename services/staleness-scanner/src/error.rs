//! What can go wrong with a scan.

use delivery::{Classify, Fate};
use proto::{InvalidPayload, Reason};
use store::StoreError;

/// Why a scan did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A job's payload does not fit its action.
    #[error(transparent)]
    Payload(#[from] InvalidPayload),
}

impl Classify for ScanError {
    fn fate(&self) -> Fate {
        match self {
            Self::Store(e) => e.fate(),
            Self::Payload(_) => Fate::Reject(Reason::InvalidPayload),
        }
    }
}
