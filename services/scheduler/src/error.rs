//! What can go wrong with a schedule.

use runtime::{Classify, Fate};
use store::StoreError;

/// Why a job cannot be scheduled.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// The expression cannot be read.
    #[error(
        "schedule '{schedule}' cannot be read: {reason}; five fields: minute hour day month weekday"
    )]
    Schedule {
        /// As it stands in the table.
        schedule: String,
        /// What is wrong.
        reason: String,
    },
    /// No such zone.
    #[error("time zone '{0}' is unknown; use an IANA name such as UTC or America/Los_Angeles")]
    Zone(String),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A job's payload does not fit its action.
    #[error("the job's payload does not fit the action maintain: {0}")]
    Payload(String),
    /// The alarm clock could not be used.
    #[error("the alarm clock failed: {0}")]
    Alarm(String),
}

impl Classify for SchedulerError {
    fn fate(&self) -> Fate {
        match self {
            Self::Store(e) => e.fate(),
            Self::Payload(_) | Self::Schedule { .. } | Self::Zone(_) => {
                Fate::Reject("invalid-payload")
            }
            Self::Alarm(_) => Fate::Retry { after: None },
        }
    }
}
