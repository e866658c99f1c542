//! Runs: listed with how far they are, cancelled.

use proto::JobName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Author, RunRow, Store};

use super::read::get;
use crate::{Noun, OperatorError};

const DEFAULT_RUNS: i64 = 20;
/// Latest runs of a job among which an open one is looked for.
const OPEN_AMONG: i64 = 100;

/// Which runs.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunFilter {
    /// Of this job.
    pub name: Option<JobName>,
    /// As it stands in the table; an older version wrote longer ones than a run gets now.
    pub run_id: Option<String>,
    /// 1 to 1000; 20 where it is left out.
    pub limit: Option<i64>,
}

/// A run with how far it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunView {
    #[serde(flatten)]
    pub run: RunRow,
    /// Items per second.
    pub rate: f64,
    /// Seconds to its last item.
    pub eta_secs: Option<f64>,
}

impl From<RunRow> for RunView {
    fn from(run: RunRow) -> Self {
        Self { rate: run.rate(), eta_secs: run.eta_secs(), run }
    }
}

/// The latest runs first.
///
/// # Errors
/// `Unknown` when there is no such run, or no such job and no run of it; `Invalid` for the limit.
pub async fn runs(store: &Store, filter: &RunFilter) -> Result<Vec<RunView>, OperatorError> {
    let limit = filter.limit.unwrap_or(DEFAULT_RUNS);
    if !(1..=1_000).contains(&limit) {
        return Err(OperatorError::Invalid(
            "limit must be a whole number from 1 to 1000".to_owned(),
        ));
    }
    let runs = store.runs(filter.name.as_deref(), filter.run_id.as_deref(), limit).await?;
    if runs.is_empty() {
        if let Some(run_id) = &filter.run_id {
            return Err(OperatorError::unknown(Noun::Run, run_id));
        }
        if let Some(name) = &filter.name {
            get(store, name).await?;
        }
    }
    Ok(runs.into_iter().map(RunView::from).collect())
}

/// One run.
///
/// # Errors
/// `Unknown`.
pub async fn run_of(store: &Store, run_id: &str) -> Result<RunView, OperatorError> {
    let found = store.runs(None, Some(run_id), 1).await?.pop();
    found.map(RunView::from).ok_or_else(|| OperatorError::unknown(Noun::Run, run_id))
}

/// The runs of a job among which an open one stands.
pub(crate) fn latest_of(name: &JobName) -> RunFilter {
    RunFilter { name: Some(name.clone()), run_id: None, limit: Some(OPEN_AMONG) }
}

/// The latest of these runs that is not over; `None`: all of them are.
pub(crate) fn first_open(runs: Vec<RunView>) -> Option<String> {
    runs.into_iter().find(|view| view.run.ended_at.is_none()).map(|view| view.run.run_id)
}

/// Ends a run and what it still wants.
///
/// # Errors
/// `Unknown`; `Refused` when it is over.
pub async fn cancel(
    store: &Store,
    run_id: &str,
    note: Option<&str>,
    author: &Author,
) -> Result<RunView, OperatorError> {
    store.cancel_run(run_id, note, author).await?;
    run_of(store, run_id).await
}
