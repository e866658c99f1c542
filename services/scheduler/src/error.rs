//! What can go wrong in a sweep.

use calendar::CalendarError;
use store::StoreError;

/// Why a job was not fired.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// Its schedule, zone or policies cannot be used.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}
