//! Says what is wrong with jobs, or easily misread.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{JobRow, Store};
use time::OffsetDateTime;

use super::{
    payload::check,
    times::{Span, exclusions_of, times_of},
};
use crate::OperatorError;

/// What is wrong with a job, or easily misread.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LintFinding {
    pub job: String,
    pub problem: String,
}

/// Every job whose schedule, zone or payload does not do what it seems to.
///
/// # Errors
/// When the database does not answer.
pub async fn lint(store: &Store) -> Result<Vec<LintFinding>, OperatorError> {
    let now = store.now().await?;
    let jobs = store.jobs().await?;
    let findings = jobs.iter().flat_map(|job| {
        let finding = |problem| LintFinding { job: job.name.to_string(), problem };
        problems(job, now).into_iter().map(finding)
    });
    Ok(findings.collect())
}

fn problems(job: &JobRow, now: OffsetDateTime) -> Vec<String> {
    let mut problems = Vec::new();
    match times_of(job, Span::since(now), 1) {
        Err(error) => problems.push(error.to_string()),
        Ok(times) if times.is_empty() => {
            problems.push(format!("schedule '{}' never fires from now on", job.schedule));
        }
        Ok(_) => {}
    }
    if let Err(error) = exclusions_of(job) {
        problems.push(format!("exclusions: {error}"));
    }
    problems.extend(day_and_weekday(&job.schedule));
    if let Err(error) = check(job.action, &job.payload) {
        problems.push(error.to_string());
    }
    problems
}

/// Cron's oldest trap, for people: a day and a weekday that are both given mean "or".
#[must_use]
pub fn day_and_weekday(schedule: &str) -> Option<String> {
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    let seconds = fields.len().checked_sub(5)?.min(1);
    let (day, weekday) = (fields.get(seconds + 2)?, fields.get(seconds + 4)?);
    let is_any = |field: &str| field.starts_with(['*', '?']);
    (fields.len() <= 7 && !is_any(day) && !is_any(weekday)).then(|| {
        format!(
            "day of month {day} and weekday {weekday} are both given: it fires on days that match \
             either of them"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_and_a_weekday_together_are_noted() {
        for schedule in ["0 3 13 * FRI", "0 0 3 13 * 5", "0 0 3 1,15 * MON-FRI 2027"] {
            assert!(day_and_weekday(schedule).is_some(), "{schedule}");
        }
        for schedule in ["0 3 * * *", "0 3 13 * *", "0 3 ? * 5", "@daily", "every 10m", ""] {
            assert_eq!(day_and_weekday(schedule), None, "{schedule}");
        }
    }
}
