//! What can go wrong with the removal of old rows.

use delivery::{Classify, Fate};
use proto::{InvalidPayload, Reason};
use store::StoreError;

/// Why old rows were not removed.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A job's payload does not fit its action.
    #[error(transparent)]
    Payload(#[from] InvalidPayload),
}

impl Classify for MaintenanceError {
    fn fate(&self) -> Fate {
        match self {
            Self::Store(e) => e.fate(),
            Self::Payload(_) => Fate::Reject(Reason::InvalidPayload),
        }
    }
}
