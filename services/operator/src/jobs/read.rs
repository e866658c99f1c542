//! The jobs as tables show them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{JobRow, Store};

use crate::{Noun, OperatorError};

/// All jobs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Jobs {
    /// Why none of them fires at the moment, where all are held.
    pub held: Option<String>,
    pub jobs: Vec<JobRow>,
}

/// All jobs, and whether they are held.
///
/// # Errors
/// When the database does not answer.
pub async fn list(store: &Store) -> Result<Jobs, OperatorError> {
    Ok(Jobs { held: store.hold().await?, jobs: store.jobs().await? })
}

/// One job.
///
/// # Errors
/// `Unknown`.
pub async fn get(store: &Store, name: &str) -> Result<JobRow, OperatorError> {
    let job = store.jobs().await?.into_iter().find(|job| &*job.name == name);
    job.ok_or_else(|| OperatorError::unknown(Noun::Job, name))
}
