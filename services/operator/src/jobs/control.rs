//! Stops jobs from firing, and lets them fire again.

use proto::JobName;
use schemars::JsonSchema;
use serde::Deserialize;
use store::{Author, JobRow, Pause, Store};

use super::read::get;
use crate::{Moment, OperatorError};

/// Which job stops firing, why, and until when.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    pub name: JobName,
    pub note: Option<String>,
    /// It fires again by itself then: RFC 3339, a date, or a span from now such as `2h30m`.
    #[schemars(with = "Option<String>")]
    pub until: Option<Moment>,
}

/// Pauses a job.
///
/// # Errors
/// `Unknown`; `Invalid` when `until` has passed.
pub async fn pause(
    store: &Store,
    request: &PauseRequest,
    author: &Author,
) -> Result<JobRow, OperatorError> {
    let name = &request.name;
    let now = store.now().await?;
    let until = request.until.map(|moment| moment.from_now(now));
    if until.is_some_and(|at| at <= now) {
        return Err(OperatorError::Invalid("until must lie in the future".to_owned()));
    }
    store.pause_job(name, Pause { note: request.note.as_deref(), until }, author).await?;
    get(store, name).await
}

/// Lets a job fire again, from its next nominal time on.
///
/// # Errors
/// `Unknown`.
pub async fn resume(store: &Store, name: &str, author: &Author) -> Result<JobRow, OperatorError> {
    store.resume_job(name, author).await?;
    get(store, name).await
}

/// Removes a job; its runs stay, and its name is not given again.
///
/// # Errors
/// `Unknown`.
pub async fn delete(store: &Store, name: &str, author: &Author) -> Result<(), OperatorError> {
    Ok(store.delete_job(name, author).await?)
}

/// Holds all jobs: none fires until they are released.
///
/// # Errors
/// When the database does not answer.
pub async fn hold(store: &Store, note: Option<&str>, author: &Author) -> Result<(), OperatorError> {
    Ok(store.hold_jobs(true, note, author).await?)
}

/// Lets all jobs fire again, each from its next nominal time on.
///
/// # Errors
/// When the database does not answer.
pub async fn release(
    store: &Store,
    note: Option<&str>,
    author: &Author,
) -> Result<(), OperatorError> {
    Ok(store.hold_jobs(false, note, author).await?)
}
