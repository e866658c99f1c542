//! The scheduler's actor: sweeps the jobs that are due, claims their nominal times, sets the alarm for the next.

use std::time::Duration;

use proto::TriggerType;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use store::DueJob;
use time::OffsetDateTime;
use tracing::{info, warn};

use crate::{Calendar, Config, SchedulerError, Tools, alarm::Alarm};

/// Jobs per sweep; the rest follows at once in the next.
const SWEEP_MAX: i64 = 500;
/// Nominal times between two looks at the drain.
const DRAIN_CHECK: Duration = Duration::from_millis(200);

/// What wakes the scheduler.
#[derive(Debug)]
pub(crate) enum Wake {
    /// A nominal time may have come.
    Sweep,
    /// The service drains.
    Drain,
}

struct Scheduler;

struct State {
    tools: Tools,
    config: Config,
    alarm: Alarm,
    alarm_at: Option<OffsetDateTime>,
}

pub(crate) fn child(tools: Tools, config: Config) -> ChildSpec {
    ChildSpec::new("clock", move |root| {
        let args = (tools.clone(), config);
        async move { Actor::spawn_linked(None, Scheduler, args, root).await.map(|(child, _)| child.get_cell()) }
    })
}

impl Actor for Scheduler {
    type Msg = Wake;
    type State = State;
    type Arguments = (Tools, Config);

    async fn pre_start(&self, myself: ActorRef<Wake>, (tools, config): (Tools, Config)) -> Result<State, ActorProcessingErr> {
        myself.cast(Wake::Sweep)?;
        myself.send_interval(config.sweep_every, || Wake::Sweep);
        let (drain, edited) = (tools.drain.clone(), myself.clone());
        let store = tools.store.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = drain.cancelled() => drop(edited.cast(Wake::Drain)),
                // Lost notifications cost nothing but the time until the next sweep.
                _ = store.listen("mangoes_jobs", || drop(edited.cast(Wake::Sweep))) => {}
            }
            drain.cancelled().await;
            tokio::time::sleep(DRAIN_CHECK).await;
            drop(edited.cast(Wake::Drain));
        });
        Ok(State { tools, config, alarm: Alarm::new().await?, alarm_at: None })
    }

    async fn handle(&self, myself: ActorRef<Wake>, message: Wake, state: &mut State) -> Result<(), ActorProcessingErr> {
        match message {
            Wake::Drain => myself.stop(Some("drained".to_owned())),
            Wake::Sweep => {
                if let Err(e) = state.sweep(&myself).await {
                    warn!(error = %e, "the sweep failed; the next one makes up for it");
                }
            }
        }
        Ok(())
    }
}

impl State {
    async fn sweep(&mut self, myself: &ActorRef<Wake>) -> Result<(), SchedulerError> {
        for job in self.tools.store.due_jobs(SWEEP_MAX).await? {
            match Calendar::parse(&job.schedule, &job.timezone, Default::default()) {
                Ok(calendar) => self.fire(&job, &calendar).await?,
                // Noted on the job, which then waits for its next edit instead of failing every second.
                Err(e) => {
                    warn!(job = %job.name, error = %e, "this job cannot fire");
                    self.tools.store.set_next(&job, None, Some(&e.to_string())).await?;
                }
            }
        }
        self.set_alarm(myself).await
    }

    /// Claims the latest nominal time that is due, if it is not too old, and moves on to the next.
    async fn fire(&self, job: &DueJob, calendar: &Calendar) -> Result<(), SchedulerError> {
        let next = calendar.next_after(job.now);
        let Some(first) = job.next_at else {
            return Ok(self.tools.store.set_next(job, next, None).await?);
        };
        let window = time::Duration::try_from(self.config.catch_up_window).unwrap_or(time::Duration::HOUR);
        let oldest = job.now - window;
        // Several missed times become one run, that of the latest.
        let from = calendar.next_after(oldest.max(first) - time::Duration::SECOND).unwrap_or(first);
        let latest = std::iter::successors(Some(from), |at| calendar.next_after(*at)).take_while(|at| *at <= job.now).last();
        let Some(scheduled_for) = latest.filter(|at| *at >= oldest) else {
            warn!(job = %job.name, missed = %first, "missed by more than the catch-up window; not made up for");
            return Ok(self.tools.store.set_next(job, next, None).await?);
        };
        let late = job.now - scheduled_for > time::Duration::seconds(30);
        let trigger = if late { TriggerType::CatchUp } else { TriggerType::Scheduled };
        if self.tools.store.claim(job, (scheduled_for, trigger), next).await? {
            info!(job = %job.name, %scheduled_for, "fired");
        }
        Ok(())
    }

    async fn set_alarm(&mut self, myself: &ActorRef<Wake>) -> Result<(), SchedulerError> {
        let next = self.tools.store.next_alarm().await?;
        if next == self.alarm_at {
            return Ok(());
        }
        self.alarm_at = next;
        let now: OffsetDateTime = std::time::SystemTime::now().into();
        let Some(after) = next.and_then(|at| Duration::try_from(at - now).ok()) else { return Ok(()) };
        let myself = myself.clone();
        self.alarm.set(after, move || drop(myself.cast(Wake::Sweep))).await
    }
}
