//! What can go wrong with the database, and its fate.

use std::time::Duration;

use delivery::{Classify, Fate};

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, is restarting, or cannot write (full, read-only, a grant is missing);
    /// the work is not at fault.
    #[error("the database cannot be used")]
    Unavailable(#[source] sqlx::Error),
    /// Another transaction was in the way; repeating helps.
    #[error("the database was busy")]
    Conflict(#[source] sqlx::Error),
    /// It refused this row's data.
    #[error("the database refused the data")]
    Data(#[source] sqlx::Error),
    /// Connecting or migrating failed; the sentence says what to do.
    #[error("{0}")]
    Setup(String),
    /// There is no such job, run or letter.
    #[error("{0}")]
    Unknown(String),
    /// It cannot be done now; the sentence says why.
    #[error("{0}")]
    Refused(String),
    /// A request of this id was answered before.
    #[error("this request was answered before")]
    Repeated(serde_json::Value),
    /// Anything else: a fault of ours or of the schema.
    #[error("the database failed")]
    Other(#[source] sqlx::Error),
}

/// What a function of ours said.
fn words(error: &sqlx::Error) -> String {
    error.as_database_error().map(|e| e.message().to_owned()).unwrap_or_default()
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code()).map(|c| c.to_string());
        match code.as_deref() {
            // 25P03: this process stood still in a transaction, and the server did not wait for it.
            Some(c)
                if ["08", "53", "57", "58"].iter().any(|class| c.starts_with(class))
                    || ["25006", "25P03", "42501"].contains(&c) =>
            {
                Self::Unavailable(error)
            }
            Some(c) if c.starts_with("40") || c.starts_with("55") => Self::Conflict(error),
            Some(c) if c.starts_with("22") || c.starts_with("23") || c.starts_with("54") => {
                Self::Data(error)
            }
            Some("P0002") => Self::Unknown(words(&error)),
            Some("P0001") => Self::Refused(words(&error)),
            Some(_) => Self::Other(error),
            None if matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::Tls(_)
                    // A connection that breaks while it is made speaks no protocol.
                    | sqlx::Error::Protocol(_)
            ) =>
            {
                Self::Unavailable(error)
            }
            None => Self::Other(error),
        }
    }
}

impl Classify for StoreError {
    fn fate(&self) -> Fate {
        match self {
            Self::Unavailable(_) => Fate::Wait { after: Duration::from_secs(1) },
            Self::Conflict(_)
            | Self::Data(_)
            | Self::Setup(_)
            | Self::Other(_)
            | Self::Unknown(_)
            | Self::Refused(_)
            | Self::Repeated(_) => Fate::Retry { after: None },
        }
    }
}

impl From<StoreError> for delivery::LedgerError {
    fn from(error: StoreError) -> Self {
        Self(runtime::chain(&error))
    }
}
