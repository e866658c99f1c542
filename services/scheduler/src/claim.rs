//! Claims what was decided: one scheduler of many writes the rows.

use store::{DueJob, NominalFate, Store};
use tracing::{info, warn};

use crate::{
    SchedulerError,
    decide::{Calendars, Decision, decide},
};

/// Gives every nominal time that has come its row, and moves on to the next. A job whose schedule
/// cannot be read is paused, and waits for its next edit instead of failing every second.
pub(crate) async fn claim(store: &Store, job: &DueJob) -> Result<(), SchedulerError> {
    let calendars = match Calendars::of(job) {
        Ok(calendars) => calendars,
        Err(e) => {
            warn!(job = %job.name, error = %e, "the job is paused: its schedule cannot be read");
            return Ok(store.pause_unreadable(job, &e.to_string()).await?);
        }
    };
    match decide(job, &calendars) {
        Decision::Wait(next) => store.set_next(job, next).await?,
        Decision::Claim { times, next } => {
            if store.claim(job, &times, next).await? {
                let runs = times.iter().filter(|n| matches!(n.fate, NominalFate::Runs(..))).count();
                info!(job = %job.name, times = times.len(), runs, "nominal times were claimed");
            }
        }
    }
    Ok(())
}
