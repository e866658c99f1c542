//! Runs a job now, or says what a run would do.

use proto::{
    Action, IngestList, InvalidPayload, JobName, JobPayload, RefreshPayload, RunId, ScanPayload,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Author, ManualRun, Store, StoreError};

use super::{
    payload::{check, with_fields},
    read::get,
};
use crate::OperatorError;

/// Titles that a dry run names.
const SAMPLE: i64 = 10;
/// New titles on a page of 20 rows, about: the catalogue has the others already.
const NEW_PER_PAGE: i64 = 10;

/// What is to be run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    pub name: JobName,
    /// Fields that replace those of the job's own payload.
    pub payload: Option<Value>,
    /// Also while another run of the job is not over.
    pub force: bool,
}

/// What a run would do.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DryRun {
    pub name: JobName,
    /// What it would do.
    pub action: Action,
    /// Movies that would be ingested (at most) or refreshed.
    pub movies: i64,
    /// About.
    pub tmdb_calls: i64,
    /// At the rate of this moment, when nothing else runs; `None`: no limit.
    pub estimated_secs: Option<f64>,
    /// The first titles, where they are known before.
    pub sample: Vec<String>,
}

/// Runs a job now; its schedule stays as it is.
///
/// # Errors
/// `Unknown`; `Overlaps` when a run of it is not over; `Invalid` when the payload does not fit.
pub async fn run(
    store: &Store,
    request: &RunRequest,
    author: &Author,
) -> Result<RunId, OperatorError> {
    let payload = request.payload.as_ref();
    if let Some(replaced) = payload {
        let job = get(store, &request.name).await?;
        check(job.action, &with_fields(&job.payload, replaced)?)?;
    }
    let run_id =
        store.run_job(&request.name, ManualRun { payload, force: request.force }, author).await;
    let run_id = run_id.map_err(|error| {
        if let StoreError::Refused(why) = error {
            return OperatorError::Overlaps(why);
        }
        error.into()
    })?;
    run_id.parse().map_err(OperatorError::Unreadable)
}

/// What a run would do now; nothing is done. `tmdb_rate`: calls per second, 0 = no limit.
///
/// # Errors
/// `Unknown`; `Invalid` when the payload does not fit.
pub async fn dry_run(
    store: &Store,
    request: &RunRequest,
    tmdb_rate: u32,
) -> Result<DryRun, OperatorError> {
    let job = get(store, &request.name).await?;
    let payload = match &request.payload {
        Some(replaced) => with_fields(&job.payload, replaced)?,
        None => job.payload.clone(),
    };
    let estimate = estimate(store, job.action, &payload).await?;
    let lowered = store.budget().await?.lowered_rate;
    let rate = lowered.unwrap_or(f64::from(tmdb_rate));
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let estimated_secs = (rate > 0.0).then(|| estimate.calls as f64 / rate);
    Ok(DryRun {
        name: job.name,
        action: job.action,
        movies: estimate.movies,
        tmdb_calls: estimate.calls,
        estimated_secs,
        sample: estimate.sample,
    })
}

struct Estimate {
    movies: i64,
    calls: i64,
    sample: Vec<String>,
}

async fn estimate(
    store: &Store,
    action: Action,
    payload: &Value,
) -> Result<Estimate, OperatorError> {
    let invalid = |error: InvalidPayload| OperatorError::Invalid(error.to_string());
    Ok(match action {
        Action::Ingest => {
            let movies = IngestList::read(payload).map_err(invalid)?.max_movies.get();
            Estimate {
                movies,
                calls: movies + (movies + NEW_PER_PAGE - 1) / NEW_PER_PAGE,
                sample: Vec::new(),
            }
        }
        Action::Scan => {
            let limit = ScanPayload::read(payload).map_err(invalid)?.limit;
            let due = store.would_scan(i64::from(limit), SAMPLE).await?;
            Estimate { movies: due.movies, calls: due.movies, sample: due.titles }
        }
        Action::Refresh => {
            let most = RefreshPayload::read(payload).map_err(invalid)?.max_items;
            let waiting = store.would_release(most).await?;
            Estimate { movies: waiting, calls: waiting, sample: Vec::new() }
        }
        Action::Feed => {
            check(action, payload)?;
            let calls = store.feed_pages().await?;
            Estimate { movies: 0, calls, sample: Vec::new() }
        }
        Action::Maintain => {
            check(action, payload)?;
            Estimate { movies: 0, calls: 0, sample: Vec::new() }
        }
    })
}
