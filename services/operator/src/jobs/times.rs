//! From a job's row to its nominal times. Pure: "now" comes from the caller.

use calendar::{Calendar, DaylightSaving};
use store::JobRow;
use time::{Date, OffsetDateTime, Time};

use crate::OperatorError;

/// Nominal times that one preview or backfill may name.
pub(super) const MOST_TIMES: usize = 1_000;

/// A span of time; both ends belong to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) from: OffsetDateTime,
    pub(super) to: OffsetDateTime,
}

impl Span {
    /// Without an end.
    pub(super) const fn since(from: OffsetDateTime) -> Self {
        Self { from, to: OffsetDateTime::new_utc(Date::MAX, Time::MIDNIGHT) }
    }
}

fn daylight_saving(job: &JobRow) -> DaylightSaving {
    DaylightSaving { gap: job.dst_gap, overlap: job.dst_overlap }
}

/// The times that the job leaves out.
pub(super) fn exclusions_of(job: &JobRow) -> Result<Option<Calendar>, OperatorError> {
    let Some(schedule) = &job.exclusions else { return Ok(None) };
    Ok(Some(Calendar::parse(schedule, &job.timezone, daylight_saving(job))?))
}

/// The first nominal times of a job within a span, excluded ones among them.
pub(super) fn times_of(
    job: &JobRow,
    span: Span,
    most: usize,
) -> Result<Vec<OffsetDateTime>, OperatorError> {
    let calendar = Calendar::parse(&job.schedule, &job.timezone, daylight_saving(job))?;
    let first = calendar.next_after(span.from - time::Duration::SECOND);
    let end = job.ends_at.map_or(span.to, |end| end.min(span.to));
    let times = std::iter::successors(first, |at| calendar.next_after(*at));
    Ok(times.take_while(|at| *at <= end).take(most).collect())
}
