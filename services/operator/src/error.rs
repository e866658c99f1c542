//! Why a verb was not done, in one sentence with the remedy.

use bus::{BusError, ServiceError};
use store::StoreError;

/// Why a verb was not done.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is wrong; the sentence names the field.
    #[error("{0}")]
    Invalid(String),
    /// There is no such job, run, movie or letter.
    #[error("{0}")]
    Unknown(String),
    /// It cannot be done now.
    #[error("{0}")]
    Refused(String),
    /// The same request was answered before, so.
    #[error("this request was answered before")]
    Repeated(serde_json::Value),
    /// Database or broker do not answer.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unknown { .. } => Self::Unknown(error.to_string()),
            StoreError::Refused(text) => Self::Refused(text),
            StoreError::Repeated(answer) => Self::Repeated(answer),
            StoreError::Data(_) => Self::Invalid(runtime::chain(&error)),
            StoreError::Unavailable(_)
            | StoreError::Conflict(_)
            | StoreError::Row { .. }
            | StoreError::Setup(_)
            | StoreError::Other(_) => Self::Unavailable(runtime::chain(&error)),
        }
    }
}

impl From<BusError> for ApiError {
    fn from(error: BusError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<calendar::CalendarError> for ApiError {
    fn from(error: calendar::CalendarError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<ApiError> for ServiceError {
    fn from(error: ApiError) -> Self {
        let code = match &error {
            ApiError::Invalid(_) => 400,
            ApiError::Unknown(_) => 404,
            ApiError::Refused(_) | ApiError::Repeated(_) => 409,
            ApiError::Unavailable(_) => 503,
        };
        Self { code, text: error.to_string() }
    }
}
