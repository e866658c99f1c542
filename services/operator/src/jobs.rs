//! Jobs and runs: looked at, previewed, run, paused, edited, filled in, cancelled.

mod edit;

use calendar::Calendar;
use proto::Action;
use runtime::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Author, BackfillOutcome, Backfilled, JobRow, ManualRun, Pause, RunRow, Store};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use self::edit::payload_fits;
pub use self::edit::{both_days, create, lint, set};
use crate::ApiError;

/// Nominal times that one backfill or preview may name.
pub const MOST_TIMES: usize = 1_000;
/// Titles that a dry run names.
const SAMPLE: i64 = 10;
const DEFAULT_RUNS: i64 = 20;

/// All jobs.
#[derive(Debug, Clone, Serialize)]
pub struct Jobs {
    /// Why none of them fires at the moment, where they are held.
    pub held: Option<String>,
    /// The jobs.
    pub jobs: Vec<JobRow>,
}

/// A nominal time to come.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// The instant.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// In the job's zone.
    pub local: String,
    /// What a person should know: clocks are set on this day, or it is excluded.
    pub note: Option<String>,
}

/// A run with how far it is.
#[derive(Debug, Clone, Serialize)]
pub struct RunView {
    /// The run.
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

/// What a run would do.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun {
    /// Its job.
    pub name: String,
    /// Movies that would be ingested (at most) or refreshed.
    pub movies: i64,
    /// TMDB calls, about.
    pub tmdb_calls: i64,
    /// Seconds at today's rate, when nothing else runs; `None`: no limit.
    pub seconds: Option<f64>,
    /// The first titles, where they are known before.
    pub sample: Vec<String>,
    /// For people.
    pub words: String,
}

/// What is wrong with a job, or easily misread.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// The job.
    pub job: String,
    /// What.
    pub problem: String,
}

/// Which runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runs {
    /// Of this job only.
    pub name: Option<String>,
    /// This one only.
    pub run_id: Option<String>,
    /// How many, 1 to 1000.
    pub limit: Option<i64>,
}

/// Which nominal times are filled in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backfill {
    /// The job.
    pub name: String,
    /// First instant.
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    /// Last instant; not after now.
    #[serde(with = "time::serde::rfc3339")]
    pub to: OffsetDateTime,
    /// Only say what would run.
    #[serde(default)]
    pub dry_run: bool,
}

/// All jobs and whether they are held.
///
/// # Errors
/// When the database does not answer.
pub async fn list(store: &Store) -> Result<Jobs, ApiError> {
    Ok(Jobs { held: store.hold().await?, jobs: store.jobs().await? })
}

/// One job.
///
/// # Errors
/// `Unknown`.
pub async fn get(store: &Store, name: &str) -> Result<JobRow, ApiError> {
    store
        .jobs()
        .await?
        .into_iter()
        .find(|j| j.name.as_str() == name)
        .ok_or_else(|| ApiError::Unknown(format!("there is no job {name}")))
}

/// Latest runs first.
///
/// # Errors
/// `Unknown` when there is no such job and no run of it; `Invalid` for the limit.
pub async fn runs(store: &Store, which: &Runs) -> Result<Vec<RunView>, ApiError> {
    let limit = which.limit.unwrap_or(DEFAULT_RUNS);
    if !(1..=1_000).contains(&limit) {
        return Err(ApiError::Invalid("limit must be a whole number from 1 to 1000".to_owned()));
    }
    let runs = store.runs(which.name.as_deref(), which.run_id.as_deref(), limit).await?;
    if runs.is_empty() {
        if let Some(run_id) = &which.run_id {
            return Err(ApiError::Unknown(format!("there is no run {run_id}")));
        }
        if let Some(name) = &which.name {
            get(store, name).await?;
        }
    }
    Ok(runs.into_iter().map(Into::into).collect())
}

/// One run.
///
/// # Errors
/// `Unknown`.
pub async fn run_of(store: &Store, run_id: &str) -> Result<RunView, ApiError> {
    let which = Runs { run_id: Some(run_id.to_owned()), ..Runs::default() };
    runs(store, &which)
        .await?
        .pop()
        .ok_or_else(|| ApiError::Unknown(format!("there is no run {run_id}")))
}

/// The next nominal times.
///
/// # Errors
/// `Unknown`; `Invalid` when the schedule cannot be read.
pub async fn next(store: &Store, name: &str, n: usize) -> Result<(JobRow, Vec<Preview>), ApiError> {
    let job = get(store, name).await?;
    let from = job
        .starts_at
        .map_or(SystemClock.now(), |start| start.max(SystemClock.now()) - Duration::SECOND);
    let times = times_of(
        &job,
        (from, OffsetDateTime::new_utc(time::Date::MAX, time::Time::MIDNIGHT)),
        n.min(MOST_TIMES),
    )?;
    let excluded = exclusions_of(&job)?;
    let left = job
        .max_runs
        .map_or(usize::MAX, |max| usize::try_from(i64::from(max) - job.runs_done).unwrap_or(0));
    let mut previews = Vec::with_capacity(times.len());
    for at in times.into_iter().take(left) {
        let note = match excluded.as_ref().is_some_and(|e| e.matches_minute_of(at)) {
            true => Some("excluded: it does not run".to_owned()),
            false => calendar::clock_is_set_near(at, &job.timezone)?,
        };
        previews.push(Preview { at, local: calendar::local(at, &job.timezone)?, note });
    }
    Ok((job, previews))
}

fn policies(gap: &str, overlap: &str) -> Result<(calendar::Gap, calendar::Overlap), ApiError> {
    Ok((gap.parse()?, overlap.parse()?))
}

fn exclusions_of(job: &JobRow) -> Result<Option<Calendar>, ApiError> {
    let policies = (job.dst_gap, job.dst_overlap);
    Ok(job
        .exclusions
        .as_deref()
        .map(|e| Calendar::parse(e, &job.timezone, policies))
        .transpose()?)
}

fn times_of(
    job: &JobRow,
    (from, to): (OffsetDateTime, OffsetDateTime),
    n: usize,
) -> Result<Vec<OffsetDateTime>, ApiError> {
    let calendar = Calendar::parse(&job.schedule, &job.timezone, (job.dst_gap, job.dst_overlap))?;
    let end = job.ends_at.map_or(to, |end| end.min(to));
    let times = std::iter::successors(calendar.next_after(from), |at| calendar.next_after(*at));
    Ok(times.take_while(|at| *at <= end).take(n).collect())
}

/// Runs a job now. Returns the run's id.
///
/// # Errors
/// `Unknown`; `Refused` when a run of it is not over; `Invalid` when the payload does not fit.
pub async fn run(
    store: &Store,
    name: &str,
    (payload, force): (Option<&Value>, bool),
    author: &Author,
) -> Result<String, ApiError> {
    if let Some(payload) = payload {
        let job = get(store, name).await?;
        payload_fits(job.action.as_str(), &merged(&job.payload, payload)?)?;
    }
    Ok(store.run_job(name, ManualRun { payload, force }, author).await?)
}

fn merged(payload: &Value, with: &Value) -> Result<Value, ApiError> {
    let (Some(own), Some(more)) = (payload.as_object(), with.as_object()) else {
        return Err(ApiError::Invalid(
            "payload must be a JSON object such as {\"limit\": 100}".to_owned(),
        ));
    };
    Ok(own
        .iter()
        .chain(more)
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into())
}

/// What a run would do now; nothing is done.
///
/// # Errors
/// As [`run`].
pub async fn dry_run(
    store: &Store,
    name: &str,
    payload: Option<&Value>,
    tmdb_rate: u32,
) -> Result<DryRun, ApiError> {
    let job = get(store, name).await?;
    let payload = payload.map_or(Ok(job.payload.clone()), |with| merged(&job.payload, with))?;
    payload_fits(job.action.as_str(), &payload)?;
    let number = |key: &str| payload.get(key).and_then(Value::as_i64).unwrap_or(0);
    let (movies, calls, sample, words) = match job.action {
        Action::Ingest => {
            let max = number("max_movies");
            // Pages of 20 rows, of which the catalogue has some already.
            (
                max,
                max + (max + 9) / 10,
                Vec::new(),
                "reads the list's pages and ingests at most so many new titles".to_owned(),
            )
        }
        Action::Scan => {
            let due = store.would_scan(number("limit"), SAMPLE).await?;
            (
                due.movies,
                due.movies,
                due.titles,
                "queues the movies that are due, the longest due first; each is one call"
                    .to_owned(),
            )
        }
        Action::Refresh => {
            let waiting = store.would_release(number("max_items")).await?;
            (
                waiting,
                waiting,
                Vec::new(),
                "publishes queue rows that nobody works on; each is one call".to_owned(),
            )
        }
        Action::Maintain => (0, 0, Vec::new(), "removes old rows; asks TMDB nothing".to_owned()),
    };
    let lowered = store.budget().await?.lowered_rate;
    let rate = lowered.unwrap_or(f64::from(tmdb_rate));
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let seconds = (rate > 0.0).then(|| calls as f64 / rate);
    Ok(DryRun { name: job.name.into(), movies, tmdb_calls: calls, seconds, sample, words })
}

/// Fills in the nominal times of a span that did not run.
///
/// # Errors
/// `Unknown`; `Invalid` for the span.
pub async fn backfill(
    store: &Store,
    request: &Backfill,
    author: &Author,
) -> Result<Vec<Backfilled>, ApiError> {
    let job = get(store, &request.name).await?;
    if request.to > SystemClock.now() || request.from > request.to {
        return Err(ApiError::Invalid("to must not lie in the future, nor before from".to_owned()));
    }
    let span = (request.from - Duration::SECOND, request.to);
    let times = times_of(&job, span, MOST_TIMES + 1)?;
    if times.len() > MOST_TIMES {
        return Err(ApiError::Invalid(format!(
            "from and to hold more than {MOST_TIMES} nominal times: take a shorter span"
        )));
    }
    let excluded = exclusions_of(&job)?;
    let times: Vec<_> = times
        .into_iter()
        .filter(|at| !excluded.as_ref().is_some_and(|e| e.matches_minute_of(*at)))
        .collect();
    if !request.dry_run {
        return Ok(store.backfill_job(&job.name, &times, author).await?);
    }
    let there = store.times_that_ran(&job.name, span.0..=span.1).await?;
    let outcome = |at: &OffsetDateTime| {
        if there.contains(at) { BackfillOutcome::There } else { BackfillOutcome::WouldRun }
    };
    let begun = times.iter().map(|at| Backfilled {
        scheduled_for: *at,
        run_id: store::run_id(&job.name, *at),
        outcome: outcome(at),
    });
    Ok(begun.collect())
}

/// An instant as RFC 3339, or a span from now: `90m`, `2h`, `3d`.
///
/// # Errors
/// `Invalid`, with both forms.
pub fn instant(text: &str) -> Result<OffsetDateTime, ApiError> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(at);
    }
    let wrong = || {
        ApiError::Invalid(format!(
            "'{text}' is no instant like 2026-12-24T18:00:00Z and no span like 90m, 2h or 3d"
        ))
    };
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: i64 =
        number.parse().ok().filter(|n| (1..=100_000).contains(n)).ok_or_else(wrong)?;
    let span = match unit {
        "s" => Duration::seconds(number),
        "m" => Duration::minutes(number),
        "h" => Duration::hours(number),
        "d" => Duration::days(number),
        _ => return Err(wrong()),
    };
    Ok(SystemClock.now() + span)
}

/// Pauses a job.
///
/// # Errors
/// `Unknown`; `Invalid` when `until` has passed.
pub async fn pause(
    store: &Store,
    name: &str,
    (note, until): (Option<&str>, Option<&str>),
    author: &Author,
) -> Result<JobRow, ApiError> {
    let until = until.map(instant).transpose()?;
    if until.is_some_and(|at| at <= SystemClock.now()) {
        return Err(ApiError::Invalid("until must lie in the future".to_owned()));
    }
    store.pause_job(name, Pause { note, until }, author).await?;
    get(store, name).await
}

/// Lets a job go on with its next nominal time.
///
/// # Errors
/// `Unknown`.
pub async fn resume(store: &Store, name: &str, author: &Author) -> Result<JobRow, ApiError> {
    store.resume_job(name, author).await?;
    get(store, name).await
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
) -> Result<RunView, ApiError> {
    store.cancel_run(run_id, note, author).await?;
    run_of(store, run_id).await
}
