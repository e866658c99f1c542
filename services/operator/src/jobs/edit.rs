//! Jobs made and changed: what can never fire, or what an action cannot read, is refused before it
//! is stored.

use calendar::Calendar;
use proto::{Action, JobName};
use runtime::{Clock, SystemClock};
use serde_json::Value;
use store::{Author, JobEdit, JobRow, Store};
use time::OffsetDateTime;

use super::{Problem, exclusions_of, get, policies, times_of};
use crate::ApiError;

const POLICIES: [&str; 5] = ["skip", "queue_one", "queue_all", "allow", "cancel_other"];
const CLEARABLE: [&str; 6] = [
    "exclusions",
    "max_runs",
    "starts_at",
    "ends_at",
    "pause_after_failures",
    "overdue_after_secs",
];

/// Creates a job.
///
/// # Errors
/// `Invalid` for what can never fire or does not fit; `Refused` when the name is or was taken.
pub async fn create(
    store: &Store,
    name: &str,
    action: &str,
    edit: &JobEdit,
    author: &Author,
) -> Result<JobRow, ApiError> {
    name.parse::<JobName>().map_err(ApiError::Invalid)?;
    if edit.schedule.is_none() {
        return Err(ApiError::Invalid(
            "schedule is missing: give a cron expression such as '0 3 * * *'".to_owned(),
        ));
    }
    check(edit, ("", "UTC"), action)?;
    payload_fits(action, edit.payload.as_ref().unwrap_or(&Value::Object(serde_json::Map::new())))?;
    let action: Action = action.parse().map_err(ApiError::Invalid)?;
    store.create_job(name, action, edit, author).await?;
    get(store, name).await
}

/// Changes what the edit names; it takes effect from now on and fires nothing by itself.
///
/// # Errors
/// `Unknown`; `Invalid` for what can never fire or does not fit.
pub async fn set(
    store: &Store,
    name: &str,
    edit: &JobEdit,
    author: &Author,
) -> Result<JobRow, ApiError> {
    if *edit == JobEdit::default() {
        return Err(ApiError::Invalid(
            "nothing to change is named: give a schedule, a timezone, a payload or another setting of the job".to_owned(),
        ));
    }
    let job = get(store, name).await?;
    check(edit, (&job.schedule, &job.timezone), job.action.as_str())?;
    store.set_job(name, edit, author).await?;
    get(store, name).await
}

/// What can never fire, or what its action cannot read, is refused before it is stored.
fn check(edit: &JobEdit, (schedule, zone): (&str, &str), action: &str) -> Result<(), ApiError> {
    let invalid = |text: String| Err(ApiError::Invalid(text));
    let policies = policies(
        edit.dst_gap.as_deref().unwrap_or("run_after"),
        edit.dst_overlap.as_deref().unwrap_or("first"),
    )?;
    let schedule = edit.schedule.as_deref().unwrap_or(schedule);
    let zone = edit.timezone.as_deref().unwrap_or(zone);
    let next = Calendar::parse(schedule, zone, policies)?
        .next_after(edit.starts_at.unwrap_or(SystemClock.now()).max(SystemClock.now()));
    if next.is_none_or(|at| edit.ends_at.is_some_and(|end| at > end)) {
        return invalid(format!("schedule '{schedule}' never fires from now on"));
    }
    if let Some(exclusions) = &edit.exclusions {
        Calendar::parse(exclusions, zone, policies)?;
    }
    if edit.overlap_policy.as_deref().is_some_and(|p| !POLICIES.contains(&p)) {
        return invalid(format!("overlap_policy is one of {}", POLICIES.join(", ")));
    }
    if let Some(wrong) = edit.clear.iter().find(|name| !CLEARABLE.contains(&name.as_str())) {
        return invalid(format!(
            "'{wrong}' cannot be cleared; these can: {}",
            CLEARABLE.join(", ")
        ));
    }
    for (name, value, least, most) in [
        ("catch_up_secs", edit.catch_up_secs, 0, 31_536_000),
        ("catch_up_max", edit.catch_up_max, 1, 1_000),
        ("jitter_secs", edit.jitter_secs, 0, 86_400),
        ("max_runs", edit.max_runs, 1, i32::MAX),
        ("pause_after_failures", edit.pause_after_failures, 1, i32::MAX),
        ("overdue_after_secs", edit.overdue_after_secs, 1, i32::MAX),
        ("lost_after_secs", edit.lost_after_secs, 1, i32::MAX),
        ("lost_retries", edit.lost_retries, 0, 10),
    ] {
        if value.is_some_and(|n| n < least || n > most) {
            return invalid(format!("{name} must be a whole number from {least} to {most}"));
        }
    }
    match &edit.payload {
        Some(payload) => payload_fits(action, payload),
        None => Ok(()),
    }
}

pub(super) fn payload_fits(action: &str, payload: &Value) -> Result<(), ApiError> {
    let action: Action = action.parse().map_err(ApiError::Invalid)?;
    action.check_payload(payload).map_err(|e| ApiError::Invalid(e.to_string()))
}

/// Cron's oldest trap, in words.
#[must_use]
pub fn both_days(schedule: &str) -> Option<String> {
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    let at = fields.len().checked_sub(5)?.min(1);
    let (day, weekday) = (fields.get(at + 2)?, fields.get(at + 4)?);
    (fields.len() <= 7 && !day.starts_with(['*', '?']) && !weekday.starts_with(['*', '?']))
        .then(|| format!("day of month {day} and weekday {weekday} are both set: it fires on days that match either of them"))
}

/// Every job whose schedule, zone or payload does not do what it seems to.
///
/// # Errors
/// When the database does not answer.
pub async fn lint(store: &Store) -> Result<Vec<Problem>, ApiError> {
    let mut found = Vec::new();
    for job in store.jobs().await? {
        let mut say = |problem: String| found.push(Problem { job: job.name.to_string(), problem });
        match times_of(
            &job,
            (SystemClock.now(), OffsetDateTime::new_utc(time::Date::MAX, time::Time::MIDNIGHT)),
            1,
        ) {
            Err(e) => say(e.to_string()),
            Ok(times) if times.is_empty() => {
                say(format!("schedule '{}' never fires from now on", job.schedule))
            }
            Ok(_) => {}
        }
        if let Err(e) = exclusions_of(&job) {
            say(format!("exclusions: {e}"));
        }
        both_days(&job.schedule).into_iter().for_each(&mut say);
        if let Err(e) = payload_fits(job.action.as_str(), &job.payload) {
            say(e.to_string());
        }
    }
    Ok(found)
}
