//! The scheduler's actor: sweeps the jobs that are due, claims their nominal times, sets the alarm for the next.

use std::time::Duration;

use proto::TriggerType;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use store::{DueJob, Nominal, NominalFate};
use time::OffsetDateTime;
use tracing::{info, warn};

use crate::{Calendar, Config, SchedulerError, Tools, alarm::Alarm};

/// Jobs per sweep; the rest follows at once in the next.
const SWEEP_MAX: i64 = 500;
/// Rows that one claim writes at most; the rest follows in the next sweep.
const ROWS_MAX: usize = 1_000;
/// A run that begins later than this after its nominal time is one that catches up.
const LATE: time::Duration = time::Duration::seconds(30);
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
        Ok(State { tools, alarm: Alarm::new().await?, alarm_at: None })
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

fn calendar_of(job: &DueJob) -> Result<Calendar, SchedulerError> {
    Calendar::parse(&job.schedule, &job.timezone, (job.dst_gap.parse()?, job.dst_overlap.parse()?))
}

/// What becomes of the nominal times that have come: the latest within the catch-up window runs for all of them.
fn decide(job: &DueJob, times: &[OffsetDateTime]) -> Vec<Nominal> {
    let oldest = job.now - time::Duration::seconds(job.catch_up_secs.into()).max(LATE);
    let paused = |at: OffsetDateTime| !job.enabled && job.paused_until.is_none_or(|until| at < until);
    let latest = times.iter().copied().rfind(|at| *at >= oldest && !paused(*at) && job.hold.is_none());
    let fate = |at: OffsetDateTime| {
        if let Some(why) = &job.hold {
            return NominalFate::Skipped(format!("all jobs are held: {why}"));
        }
        if paused(at) {
            return NominalFate::Skipped(format!("paused: {}", job.note.as_deref().unwrap_or("no note")));
        }
        if at < oldest {
            return NominalFate::Skipped(format!("outside the catch-up window of {} s", job.catch_up_secs));
        }
        match latest {
            Some(latest) if latest == at => {
                NominalFate::Runs(if job.now - at > LATE { TriggerType::CatchUp } else { TriggerType::Scheduled })
            }
            Some(latest) => NominalFate::Skipped(format!("coalesced into {latest}")),
            None => NominalFate::Skipped("nothing to run".to_owned()),
        }
    };
    times.iter().map(|at| Nominal { at: *at, fate: fate(*at) }).collect()
}

impl State {
    async fn sweep(&mut self, myself: &ActorRef<Wake>) -> Result<(), SchedulerError> {
        for job in self.tools.store.due_jobs(SWEEP_MAX).await? {
            match calendar_of(&job) {
                Ok(calendar) => self.fire(&job, &calendar).await?,
                // Noted on the job, which then waits for its next edit instead of failing every second.
                Err(e) => {
                    warn!(job = %job.name, error = %e, "this job cannot fire");
                    self.tools.store.set_next(&job, None, Some(&e.to_string())).await?;
                }
            }
        }
        self.tools.store.end_pauses().await?;
        self.set_alarm(myself).await
    }

    /// Gives every nominal time that has come its row, and moves on to the next.
    async fn fire(&self, job: &DueJob, calendar: &Calendar) -> Result<(), SchedulerError> {
        let next_after = |at: OffsetDateTime| calendar.next_after(at).filter(|at| job.ends_at.is_none_or(|end| *at <= end));
        let Some(first) = job.next_at else {
            let from = job.starts_at.map_or(job.now, |start| job.now.max(start - time::Duration::SECOND));
            return Ok(self.tools.store.set_next(job, next_after(from), None).await?);
        };
        let times: Vec<OffsetDateTime> =
            std::iter::successors(Some(first), |at| next_after(*at)).take_while(|at| *at <= job.now).take(ROWS_MAX).collect();
        let next = next_after(times.last().copied().unwrap_or(first));
        let nominal = decide(job, &times);
        let runs = nominal.iter().filter(|n| matches!(n.fate, NominalFate::Runs(_))).count();
        if self.tools.store.claim(job, &nominal, next).await? {
            info!(job = %job.name, scheduled_for = %first, times = times.len(), runs, "claimed");
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
