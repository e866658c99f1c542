//! Removes old rows. Woken by ticks of action `maintain`; how long rows stay is the tick's payload.

use std::sync::Arc;

use bus::{Delivery, Handler, Outcome};
use proto::Tick;
use runtime::{Clock, LedgerError, Letter};
use serde_json::Value;
use store::{Effect, Retention, RunRef, Standing, Store};

use crate::SchedulerError;

const MAX_DAYS: i64 = 3_650;
/// Runs of a job that stay, those that failed not counted.
const DEFAULT_RUNS_PER_JOB: i64 = 10_000;
const MAX_RUNS_PER_JOB: i64 = 1_000_000;

/// Idempotent: a redelivery finds nothing left to remove.
pub(crate) struct MaintainHandler {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Whether a payload fits the action `maintain`.
///
/// # Errors
/// Names the field.
pub fn check_retention(payload: &Value) -> Result<(), SchedulerError> {
    retention(payload).map(|_| ())
}

/// Reads the payload; what it does not name stays as long as the defaults say.
pub(crate) fn retention(payload: &Value) -> Result<Retention, SchedulerError> {
    let runs_per_job = match payload.get("runs_per_job") {
        None => DEFAULT_RUNS_PER_JOB,
        Some(value) => {
            value.as_i64().filter(|n| (1..=MAX_RUNS_PER_JOB).contains(n)).ok_or_else(|| {
                SchedulerError::Payload(format!(
                    "runs_per_job must be a whole number from 1 to {MAX_RUNS_PER_JOB}"
                ))
            })?
        }
    };
    let days = |key: &'static str, default: i64| match payload.get(key) {
        None => Ok(default),
        Some(value) => value.as_i64().filter(|n| (1..=MAX_DAYS).contains(n)).ok_or_else(|| {
            SchedulerError::Payload(format!(
                "{key} must be a whole number of days from 1 to {MAX_DAYS}"
            ))
        }),
    };
    Ok(Retention {
        api_log_days: days("api_log_days", 30)?,
        queue_days: days("queue_days", 30)?,
        run_days: days("run_days", 90)?,
        runs_per_job,
        failed_run_days: days("failed_run_days", 365)?,
        dead_letter_days: days("dead_letter_days", 90)?,
        attempt_days: days("attempt_days", 14)?,
    })
}

impl Handler for MaintainHandler {
    const DURABLE: &'static str = "ticks-maintain";
    type Event = Tick;
    type Error = SchedulerError;

    async fn handle(&self, tick: Tick, delivery: &Delivery) -> Result<Outcome, SchedulerError> {
        let keep = retention(&tick.payload)?;
        let run = RunRef {
            run_id: tick.run_id,
            job: tick.job,
            action: tick.action,
            trigger_type: tick.trigger_type,
            scheduled_for: tick.scheduled_for,
        };
        let now = self.clock.now();
        if self.store.start_run(&run, &tick.payload, now).await? != Standing::Open {
            return Ok(Outcome::Skipped("its run is over"));
        }
        let removed = self.store.maintain((Self::DURABLE, &delivery.key), &run, &keep, now).await?;
        tracing::info!(removed, run = %run.run_id, "old rows removed");
        Ok(Outcome::Done)
    }

    async fn bury(&self, tick: Option<Tick>, letter: Letter) -> Result<(), LedgerError> {
        let effect = tick.map_or(Effect::None, |t| Effect::Run { run_id: t.run_id });
        Ok(self.store.bury(&letter, &effect, self.clock.now()).await?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_named_has_a_default_and_nonsense_is_named() {
        let keep = retention(&json!({"run_days": 7})).unwrap();
        assert_eq!((keep.run_days, keep.api_log_days), (7, 30));
        for wrong in [
            json!({"api_log_days": 0}),
            json!({"api_log_days": "7"}),
            json!({"api_log_days": 4_000}),
        ] {
            assert!(
                retention(&wrong).is_err_and(|e| e.to_string().contains("api_log_days")),
                "{wrong}"
            );
        }
    }
}
