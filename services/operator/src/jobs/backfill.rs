//! Runs the nominal times of a past span that did not run.

use calendar::Calendar;
use proto::JobName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Author, BackfillOutcome, Backfilled, JobRow, Store};
use time::OffsetDateTime;

use super::{
    read::get,
    times::{MOST_TIMES, Span, exclusions_of, times_of},
};
use crate::OperatorError;

/// Which nominal times are backfilled.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackfillRequest {
    pub name: JobName,
    /// First instant.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub from: OffsetDateTime,
    /// Last instant; not after now.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub to: OffsetDateTime,
    /// Only say what would run.
    #[serde(default)]
    pub dry_run: bool,
}

/// Begins a run for each nominal time of the span that has none.
///
/// # Errors
/// `Unknown`; `Invalid` for the span.
pub async fn backfill(
    store: &Store,
    request: &BackfillRequest,
    author: &Author,
) -> Result<Vec<Backfilled>, OperatorError> {
    let job = get(store, &request.name).await?;
    let span = Span { from: request.from, to: request.to };
    check_span(span, store.now().await?)?;
    let times = times_to_fill(&job, span)?;
    if request.dry_run {
        return preview(store, &job, &times).await;
    }
    Ok(store.backfill_job(&job.name, &times, author).await?)
}

fn check_span(span: Span, now: OffsetDateTime) -> Result<(), OperatorError> {
    if span.to > now || span.from > span.to {
        return Err(OperatorError::Invalid(
            "from must not lie after to, and to must not lie in the future".to_owned(),
        ));
    }
    Ok(())
}

/// The nominal times of the span that are not excluded.
fn times_to_fill(job: &JobRow, span: Span) -> Result<Vec<OffsetDateTime>, OperatorError> {
    let times = times_of(job, span, MOST_TIMES + 1)?;
    if times.len() > MOST_TIMES {
        return Err(OperatorError::Invalid(format!(
            "the job has more than {MOST_TIMES} times from {} to {}: give a shorter span",
            span.from.date(),
            span.to.date()
        )));
    }
    let excluded = exclusions_of(job)?;
    let is_excluded = |at: OffsetDateTime| {
        excluded.as_ref().is_some_and(|times: &Calendar| times.matches_minute_of(at))
    };
    Ok(times.into_iter().filter(|at| !is_excluded(*at)).collect())
}

async fn preview(
    store: &Store,
    job: &JobRow,
    times: &[OffsetDateTime],
) -> Result<Vec<Backfilled>, OperatorError> {
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return Ok(Vec::new()) };
    let ran = store.times_that_ran(&job.name, *first..=*last).await?;
    let time = |at: &OffsetDateTime| Backfilled {
        scheduled_for: *at,
        run_id: store::run_id(&job.name, *at),
        outcome: if ran.contains(at) { BackfillOutcome::There } else { BackfillOutcome::WouldRun },
    };
    Ok(times.iter().map(time).collect())
}
