//! When a job fires next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{JobRow, Store};
use time::OffsetDateTime;

use super::{
    read::get,
    times::{MOST_TIMES, Span, exclusions_of, times_of},
};
use crate::OperatorError;

/// A nominal time to come.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Preview {
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub at: OffsetDateTime,
    /// In the job's time zone.
    pub local: String,
    /// What a person should know: clocks are set on this day, or the time is excluded.
    pub note: Option<String>,
}

/// A job with its next nominal times.
#[derive(Debug, Clone)]
pub struct NextTimes {
    pub job: JobRow,
    pub times: Vec<Preview>,
}

/// The next `n` nominal times, 1000 at most.
///
/// # Errors
/// `Unknown`; `Invalid` when the schedule cannot be read.
pub async fn next(store: &Store, name: &str, n: usize) -> Result<NextTimes, OperatorError> {
    let job = get(store, name).await?;
    let now = store.now().await?;
    // A time that is just now has been claimed; the first instant that is allowed still comes.
    let after_now = now + time::Duration::SECOND;
    let from = job.starts_at.map_or(after_now, |start| start.max(after_now));
    let times = times_of(&job, Span::since(from), n.min(MOST_TIMES))?;
    let times = times.into_iter().take(runs_left(&job));
    let times = times.map(|at| preview(&job, at)).collect::<Result<_, _>>()?;
    Ok(NextTimes { job, times })
}

fn runs_left(job: &JobRow) -> usize {
    let left = job.max_runs.map(|max| i64::from(max) - job.runs_done);
    left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(0))
}

fn preview(job: &JobRow, at: OffsetDateTime) -> Result<Preview, OperatorError> {
    let excluded = exclusions_of(job)?.is_some_and(|times| times.matches_minute_of(at));
    let note = if excluded {
        Some("excluded: it does not run".to_owned())
    } else {
        calendar::clock_is_set_near(at, &job.timezone)?
    };
    Ok(Preview { at, local: calendar::local(at, &job.timezone)?, note })
}
