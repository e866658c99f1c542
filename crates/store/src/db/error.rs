//! What can go wrong with the database, and its fate.

use std::{sync::Arc, time::Duration};

use delivery::{Classify, Fate};

/// How long work waits before it asks an unavailable database again.
const PAUSE: Duration = Duration::from_secs(1);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Outage {
    /// It cannot be reached, is restarting, or cannot write: full, read-only, a grant is missing.
    #[error(transparent)]
    Sql(sqlx::Error),
    #[error("it did not answer within {} s", .0.as_secs())]
    NoAnswer(Duration),
    /// The batch that the work was part of met the outage.
    #[error("a batch of movies was not stored")]
    Batch(#[source] Arc<Outage>),
    /// A row that is there could not be written.
    #[error(
        "table {0} hides rows from this role by row security: log in as the owner of the table, \
         or as a role with BYPASSRLS, or see migrations/roles.sql"
    )]
    NotWritable(&'static str),
    /// The actor that stores movies is about to be restarted.
    #[error("the writer is not running")]
    WriterRestarts,
}

/// The kind of thing that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    Job,
    Run,
}

impl std::fmt::Display for Noun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Job => "job",
            Self::Run => "run",
        })
    }
}

/// Why the database did not do it: an outage, a fault of the data or of ours, or the refusal of
/// what a person asked for (`Unknown`, `Refused`, `Repeated`).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The work is not at fault.
    #[error("the database cannot be used")]
    Unavailable(#[source] Outage),
    /// Another transaction was in the way; repeating helps.
    #[error("the database was busy")]
    Conflict(#[source] sqlx::Error),
    /// It refused the data of this row.
    #[error("the database refused the data")]
    Data(#[source] sqlx::Error),
    /// A row holds a word that this version does not know.
    #[error("row {key} of table {table} has an unreadable {column}: {problem}")]
    Row { table: &'static str, column: &'static str, key: String, problem: String },
    /// Connecting or migrating failed; the sentence says what to do.
    #[error("{0}")]
    Setup(String),
    #[error("there is no {what} {name}")]
    Unknown { what: Noun, name: String },
    /// It cannot be done now; the sentence says why.
    #[error("{0}")]
    Refused(String),
    /// A request with this id was answered before.
    #[error("this request was answered before")]
    Repeated(serde_json::Value),
    /// A fault of ours or of the schema.
    #[error("the database failed")]
    Other(#[source] sqlx::Error),
}

impl StoreError {
    /// The error of a function of the database that looks up a job or run by its name: such a
    /// function raises `no_data_found` where there is none.
    pub(crate) fn of_lookup(what: Noun, name: &str, error: sqlx::Error) -> Self {
        if code_of(&error).as_deref() == Some("P0002") {
            return Self::Unknown { what, name: name.to_owned() };
        }
        error.into()
    }
}

fn code_of(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.to_string())
}

/// The sentence that a function of the database raised.
fn sentence_of(error: &sqlx::Error) -> String {
    error.as_database_error().map(|e| e.message().to_owned()).unwrap_or_default()
}

impl From<sqlx::Error> for StoreError {
    /// By the classes of SQLSTATE, appendix A of the manual of Postgres.
    fn from(error: sqlx::Error) -> Self {
        let Some(code) = code_of(&error) else { return without_code(error) };
        let is_of = |classes: &[&str]| classes.iter().any(|class| code.starts_with(class));
        // 25P03: this process was idle in a transaction, and the server did not wait for it.
        if is_of(&["08", "53", "57", "58", "25006", "25P03", "42501"]) {
            Self::Unavailable(Outage::Sql(error))
        } else if is_of(&["40", "55"]) {
            Self::Conflict(error)
        } else if is_of(&["22", "23", "54"]) {
            Self::Data(error)
        } else if code == "P0001" {
            Self::Refused(sentence_of(&error))
        } else {
            Self::Other(error)
        }
    }
}

fn without_code(error: sqlx::Error) -> StoreError {
    let is_outage = matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Tls(_)
            // A connection that breaks while it is being made gives no proper answer.
            | sqlx::Error::Protocol(_)
    );
    if is_outage { StoreError::Unavailable(Outage::Sql(error)) } else { StoreError::Other(error) }
}

impl Classify for StoreError {
    fn fate(&self) -> Fate {
        match self {
            Self::Unavailable(_) => Fate::Wait { after: PAUSE },
            Self::Conflict(_)
            | Self::Data(_)
            | Self::Row { .. }
            | Self::Setup(_)
            | Self::Other(_)
            | Self::Unknown { .. }
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
