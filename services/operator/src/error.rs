//! Why the operator's request was not done. Each kind is a variant, so that every surface can say
//! in its own words what to do next.

use bus::{BusError, ServiceError};
use store::StoreError;

/// A kind of thing that a person asks for by its name or number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    Job,
    Run,
    Movie,
    DeadLetter,
}

impl From<store::Noun> for Noun {
    fn from(noun: store::Noun) -> Self {
        match noun {
            store::Noun::Job => Self::Job,
            store::Noun::Run => Self::Run,
            store::Noun::Movie => Self::Movie,
        }
    }
}

impl std::fmt::Display for Noun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Job => "job",
            Self::Run => "run",
            Self::Movie => "movie",
            Self::DeadLetter => "dead letter",
        })
    }
}

/// Why the operator's request was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The request is wrong; the sentence names the field.
    #[error("{0}")]
    Invalid(String),
    #[error("{}", unknown(.what, .name))]
    Unknown { what: Noun, name: String },
    /// A run of the job is not over, and its runs may not overlap.
    #[error("{0}")]
    Overlaps(String),
    /// It cannot be done in the state that things are in; the sentence says why.
    #[error("{0}")]
    Refused(String),
    /// A request of the same id was done before, and got this answer.
    #[error("this request was answered before")]
    Repeated(serde_json::Value),
    /// A row holds a word that this version does not know.
    #[error("the database cannot be understood: {0}; is this program older than its tables?")]
    Unreadable(String),
    #[error(transparent)]
    Database(StoreError),
    /// No stream confirmed the message. It may be stored all the same.
    #[error(transparent)]
    Broker(#[from] BusError),
    /// A process that was asked by NATS says so.
    #[error("{}", .0.text)]
    Service(ServiceError),
    #[error("this cannot be written as JSON: {0}")]
    Json(serde_json::Error),
}

/// A movie may well exist: only the catalogue does not have it.
fn unknown(what: &Noun, name: &str) -> String {
    match what {
        Noun::Movie => format!("the catalogue has no movie {name}: ingest brings it in"),
        Noun::Job | Noun::Run | Noun::DeadLetter => format!("there is no {what} {name}"),
    }
}

impl OperatorError {
    /// There is no such thing.
    pub(crate) fn unknown(what: Noun, name: impl ToString) -> Self {
        Self::Unknown { what, name: name.to_string() }
    }
}

impl From<StoreError> for OperatorError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unknown { what, name } => Self::Unknown { what: what.into(), name },
            StoreError::Refused(why) => Self::Refused(why),
            StoreError::Row { .. } => Self::Unreadable(error.to_string()),
            StoreError::Repeated(answer) => Self::Repeated(answer),
            StoreError::Data(_) => Self::Invalid(runtime::chain(&error)),
            StoreError::Unavailable(_)
            | StoreError::Conflict(_)
            | StoreError::Setup(_)
            | StoreError::Other(_) => Self::Database(error),
        }
    }
}

/// What another process answered.
impl From<ServiceError> for OperatorError {
    fn from(error: ServiceError) -> Self {
        match error.code {
            400 => Self::Invalid(error.text),
            409 => Self::Refused(error.text),
            _ => Self::Service(error),
        }
    }
}

impl From<calendar::CalendarError> for OperatorError {
    fn from(error: calendar::CalendarError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<OperatorError> for ServiceError {
    fn from(error: OperatorError) -> Self {
        if let OperatorError::Service(error) = error {
            return error;
        }
        let code = match &error {
            OperatorError::Invalid(_) => 400,
            OperatorError::Unknown { .. } => 404,
            OperatorError::Overlaps(_) | OperatorError::Refused(_) | OperatorError::Repeated(_) => {
                409
            }
            OperatorError::Unreadable(_)
            | OperatorError::Database(_)
            | OperatorError::Broker(_)
            | OperatorError::Service(_)
            | OperatorError::Json(_) => 503,
        };
        Self { code, text: runtime::chain(&error) }
    }
}
