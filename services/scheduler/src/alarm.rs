//! The alarm clock: wakes the scheduler at an instant. tokio-cron-scheduler rings; it is never the
//! calendar.

use std::time::Duration;

use tokio_cron_scheduler::{Job, JobScheduler};
use uuid::Uuid;

use crate::SchedulerError;

/// Rings at most once per setting; may be late or lost.
pub(crate) struct Alarm {
    clock: JobScheduler,
    set: Option<Uuid>,
}

fn failed(error: impl ToString) -> SchedulerError {
    SchedulerError::Alarm(error.to_string())
}

impl Alarm {
    pub(crate) async fn new() -> Result<Self, SchedulerError> {
        let clock = JobScheduler::new().await.map_err(failed)?;
        clock.start().await.map_err(failed)?;
        Ok(Self { clock, set: None })
    }

    /// Sets it again; what was set before does not ring any more.
    pub(crate) async fn set(
        &mut self,
        after: Duration,
        ring: impl Fn() + Send + Sync + 'static,
    ) -> Result<(), SchedulerError> {
        if let Some(old) = self.set.take() {
            self.clock.remove(&old).await.map_err(failed)?;
        }
        let job = Job::new_one_shot(after, move |_, _| ring()).map_err(failed)?;
        self.set = Some(self.clock.add(job).await.map_err(failed)?);
        Ok(())
    }
}
