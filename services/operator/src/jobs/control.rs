//! Stops jobs from firing, and lets them fire again.

use proto::JobName;
use serde::Deserialize;
use store::{Author, JobRow, Pause, Store};

use super::read::get;
use crate::{Moment, Noun, OperatorError};

/// Which job stops firing, why, and until when.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    pub name: JobName,
    pub note: Option<String>,
    /// It fires again by itself then.
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
    let paused =
        store.pause_job(name, Pause { note: request.note.as_deref(), until }, author).await;
    paused.map_err(OperatorError::about(Noun::Job, name))?;
    get(store, name).await
}

/// Lets a job fire again, from its next nominal time on.
///
/// # Errors
/// `Unknown`.
pub async fn resume(store: &Store, name: &str, author: &Author) -> Result<JobRow, OperatorError> {
    let resumed = store.resume_job(name, author).await;
    resumed.map_err(OperatorError::about(Noun::Job, name))?;
    get(store, name).await
}

/// Removes a job; its runs stay, and its name is not given again.
///
/// # Errors
/// `Unknown`.
pub async fn delete(store: &Store, name: &str, author: &Author) -> Result<(), OperatorError> {
    store.delete_job(name, author).await.map_err(OperatorError::about(Noun::Job, name))
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
