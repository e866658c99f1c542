//! Why a schedule gives no times.

/// Why a schedule, a time zone or a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The expression cannot be read.
    #[error(
        "schedule '{schedule}' cannot be read: {reason}; give five fields (minute hour day month \
         weekday), or @daily, every 10m, at 2026-12-24T18:00:00Z"
    )]
    Schedule {
        /// As it was given.
        schedule: String,
        /// What is wrong.
        reason: String,
    },
    /// The zone is not one of IANA's.
    #[error("time zone '{0}' is unknown; use an IANA name such as UTC or America/Los_Angeles")]
    Zone(String),
    /// A daylight saving policy has another word.
    #[error("{0}")]
    Policy(String),
}
