//! Creates and changes jobs: what can never fire, or what an action cannot read, is refused before
//! it is stored.

use calendar::{Calendar, DaylightSaving};
use proto::{Action, JobName};
use serde_json::Value;
use store::{Author, JobEdit, JobRow, Store};
use time::OffsetDateTime;

use super::{payload::check, read::get};
use crate::{Noun, OperatorError};

/// A job that is to be.
#[derive(Debug, Clone)]
pub struct JobDraft {
    pub name: JobName,
    pub action: Action,
    /// The schedule, and what else is not to have its default.
    pub settings: JobEdit,
}

/// Creates a job.
///
/// # Errors
/// `Invalid` for what can never fire or does not fit; `Refused` when the name is or was taken.
pub async fn create(
    store: &Store,
    draft: &JobDraft,
    author: &Author,
) -> Result<JobRow, OperatorError> {
    let JobDraft { name, action, settings } = draft;
    let Some(schedule) = &settings.schedule else {
        return Err(OperatorError::Invalid(
            "schedule is missing: give a cron expression such as '0 3 * * *'".to_owned(),
        ));
    };
    check_numbers(settings)?;
    let timing = Timing { schedule, zone: settings.timezone.as_deref().unwrap_or("UTC") };
    timing.check(settings, store.now().await?)?;
    check(*action, settings.payload.as_ref().unwrap_or(&Value::Object(serde_json::Map::new())))?;
    store.create_job(name, *action, settings, author).await?;
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
) -> Result<JobRow, OperatorError> {
    if *edit == JobEdit::default() {
        return Err(OperatorError::Invalid(
            "nothing to change is named: give a schedule, a timezone, a payload or another \
             setting of the job"
                .to_owned(),
        ));
    }
    let job = get(store, name).await?;
    check_numbers(edit)?;
    let timing = Timing {
        schedule: edit.schedule.as_deref().unwrap_or(&job.schedule),
        zone: edit.timezone.as_deref().unwrap_or(&job.timezone),
    };
    timing.check(edit, store.now().await?)?;
    if let Some(payload) = &edit.payload {
        check(job.action, payload)?;
    }
    store.set_job(name, edit, author).await.map_err(OperatorError::about(Noun::Job, name))?;
    get(store, name).await
}

/// When a job would fire after an edit.
struct Timing<'a> {
    schedule: &'a str,
    zone: &'a str,
}

impl Timing<'_> {
    /// Refuses what can never fire.
    fn check(&self, edit: &JobEdit, now: OffsetDateTime) -> Result<(), OperatorError> {
        let rules = DaylightSaving {
            gap: edit.dst_gap.unwrap_or_default(),
            overlap: edit.dst_overlap.unwrap_or_default(),
        };
        let from = edit.starts_at.map_or(now, |start| start.max(now));
        let next = Calendar::parse(self.schedule, self.zone, rules)?.next_after(from);
        if next.is_none_or(|at| edit.ends_at.is_some_and(|end| at > end)) {
            return Err(OperatorError::Invalid(format!(
                "schedule '{}' never fires from now on",
                self.schedule
            )));
        }
        if let Some(exclusions) = &edit.exclusions {
            Calendar::parse(exclusions, self.zone, rules)?;
        }
        Ok(())
    }
}

/// A setting that is a number, with its range.
struct Ranged {
    name: &'static str,
    value: Option<i32>,
    least: i32,
    most: i32,
}

fn check_numbers(edit: &JobEdit) -> Result<(), OperatorError> {
    let ranged = |name, value, least, most| Ranged { name, value, least, most };
    for Ranged { name, value, least, most } in [
        ranged("catch_up_secs", edit.catch_up_secs, 0, 31_536_000),
        ranged("catch_up_max", edit.catch_up_max, 1, 1_000),
        ranged("jitter_secs", edit.jitter_secs, 0, 86_400),
        ranged("max_runs", edit.max_runs, 1, i32::MAX),
        ranged("pause_after_failures", edit.pause_after_failures, 1, i32::MAX),
        ranged("overdue_after_secs", edit.overdue_after_secs, 1, i32::MAX),
        ranged("lost_after_secs", edit.lost_after_secs, 1, i32::MAX),
        ranged("lost_retries", edit.lost_retries, 0, 10),
    ] {
        if value.is_some_and(|n| n < least || n > most) {
            return Err(OperatorError::Invalid(format!(
                "{name} must be a whole number from {least} to {most}"
            )));
        }
    }
    Ok(())
}
