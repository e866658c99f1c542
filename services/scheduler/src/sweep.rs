//! The scheduler's actor: sweeps the jobs that are due, claims their nominal times, sets the alarm
//! for the next, and looks for runs that nobody works on and for overdue jobs.
//!
//! Woken by the alarm, by an edit of a job, and every second. It writes nothing itself: `decide`
//! decides, `claim` and the database's functions write.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use delivery::CONSUMERS;
use futures::{StreamExt, TryStreamExt, stream};
use proto::Action;
use ractor::{Actor, ActorProcessingErr, ActorRef, MessagingErr};
use runtime::{ChildSpec, Component};
use store::{Channel, LossCheck, NextAlarm, StoreError};
use time::OffsetDateTime;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use crate::{SchedulerError, Tools, claim::claim};

/// Jobs per sweep; the rest follows at once in the next.
const SWEEP_MAX: i64 = 500;
/// Jobs that are claimed side by side.
const CLAIMS_AT_ONCE: usize = 8;
/// The sweep behind the alarm.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often runs that nobody works on and overdue jobs are looked for.
const WATCH_EVERY: Duration = Duration::from_secs(5);
/// It sweeps every second; a sweep over many jobs takes longer.
const COMPONENT: Component =
    Component { name: "scheduler", allowed: Duration::from_secs(30), vital: true };
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
    alarm: Option<Alarm>,
    /// A sweep is asked for and not begun: ten thousand notifications are one sweep.
    asked: Asked,
    watched_at: Option<Instant>,
    /// Ends with the actor, however that ends.
    _waking: AbortOnDropHandle<()>,
}

type Asked = Arc<AtomicBool>;

/// Wakes the scheduler at an instant; it is given up when dropped.
struct Alarm {
    at: OffsetDateTime,
    _ringing: AbortOnDropHandle<Result<(), MessagingErr<Wake>>>,
}

fn ask(myself: &ActorRef<Wake>, asked: &Asked) {
    if !asked.swap(true, Ordering::AcqRel) {
        wake(myself);
    }
}

/// The actor may be gone: then nothing is left to end.
fn end(myself: &ActorRef<Wake>) {
    let _ = myself.cast(Wake::Drain);
}

/// The actor may be gone: then nothing is left to wake.
fn wake(myself: &ActorRef<Wake>) {
    let _ = myself.cast(Wake::Sweep);
}

pub(crate) fn child(tools: Tools) -> ChildSpec {
    ChildSpec::actor("clock", || Scheduler, tools)
}

impl Actor for Scheduler {
    type Msg = Wake;
    type State = State;
    type Arguments = Tools;

    async fn pre_start(
        &self,
        myself: ActorRef<Wake>,
        tools: Tools,
    ) -> Result<State, ActorProcessingErr> {
        let asked = Asked::default();
        ask(&myself, &asked);
        myself.send_interval(SWEEP_EVERY, || Wake::Sweep);
        let (drain, edited, waking) = (tools.drain.clone(), myself.clone(), Asked::clone(&asked));
        let store = tools.store.clone();
        let waking = tokio::spawn(async move {
            tokio::select! {
                () = drain.cancelled() => end(&edited),
                // Lost notifications cost nothing but the time until the next sweep.
                () = store.listen(Channel::Jobs, || ask(&edited, &waking)) => {}
            }
            drain.cancelled().await;
            tokio::time::sleep(DRAIN_CHECK).await;
            end(&edited);
        });
        tools.bus.pulse().beat(COMPONENT);
        Ok(State {
            tools,
            alarm: None,
            asked,
            watched_at: None,
            _waking: AbortOnDropHandle::new(waking),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Wake>,
        message: Wake,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Wake::Drain => myself.stop(Some("drained".to_owned())),
            Wake::Sweep => {
                state.asked.store(false, Ordering::Release);
                match state.sweep(&myself).await {
                    Ok(()) => state.tools.bus.pulse().works(COMPONENT.name),
                    Err(e) => {
                        let error = runtime::chain(&e);
                        warn!(error, "the sweep failed; the next one makes up for it");
                        state.tools.bus.pulse().fails(COMPONENT.name, &error);
                    }
                }
                state.tools.bus.pulse().beat(COMPONENT);
            }
        }
        Ok(())
    }
}

impl State {
    async fn sweep(&mut self, myself: &ActorRef<Wake>) -> Result<(), SchedulerError> {
        let due = self.tools.store.due_jobs(SWEEP_MAX).await?;
        let more = i64::try_from(due.len()).is_ok_and(|n| n == SWEEP_MAX);
        let store = &self.tools.store;
        stream::iter(due)
            .map(Ok)
            .try_for_each_concurrent(CLAIMS_AT_ONCE, |job| async move {
                match claim(store, &job).await {
                    Err(e @ SchedulerError::Store(StoreError::Unavailable(_))) => Err(e),
                    // One job's trouble is no other's.
                    Err(e) => {
                        warn!(
                            job = %job.name,
                            error = %runtime::chain(&e),
                            "the job's nominal time waits for the next sweep"
                        );
                        Ok(())
                    }
                    Ok(()) => Ok(()),
                }
            })
            .await?;
        store.end_pauses().await?;
        store.promote_runs().await?;
        if self.watched_at.is_none_or(|at| at.elapsed() >= WATCH_EVERY) {
            self.watched_at = Some(Instant::now());
            self.watch().await?;
        }
        if more {
            ask(myself, &self.asked);
            return Ok(());
        }
        self.set_alarm(myself).await
    }

    /// Looks for what should have happened and did not.
    async fn watch(&self) -> Result<(), SchedulerError> {
        let overdue = self.tools.store.note_overdue().await?;
        if overdue > 0 {
            warn!(jobs = overdue, "jobs had no success for longer than they allow");
        }
        for run in self.tools.store.quiet_runs().await? {
            if !self.carried(run.action).await {
                let again = match self.tools.store.lose_run(&run.run_id).await {
                    Ok(LossCheck::Replaced(again)) => Some(again),
                    Ok(LossCheck::Ended) => None,
                    Ok(LossCheck::Alive) => continue,
                    Err(e @ StoreError::Unavailable(_)) => return Err(e.into()),
                    Err(e) => {
                        warn!(
                            run.id = %run.run_id,
                            error = %runtime::chain(&e),
                            "the run is looked at again later"
                        );
                        continue;
                    }
                };
                warn!(
                    run.id = %run.run_id,
                    replaced_by = again.as_deref().unwrap_or("no run"),
                    "the run is lost: no message carries it any more"
                );
            }
        }
        Ok(())
    }

    /// Whether a message may still carry work of this action; a broker that does not answer may
    /// hold one.
    async fn carried(&self, action: Action) -> bool {
        for consumer in CONSUMERS.iter().filter(|consumer| consumer.action == action) {
            if !matches!(self.tools.bus.is_idle(consumer.durable).await, Ok(true)) {
                return true;
            }
        }
        false
    }

    /// Sets the alarm again after each sweep, because clocks are corrected and machines sleep.
    async fn set_alarm(&mut self, myself: &ActorRef<Wake>) -> Result<(), SchedulerError> {
        let next = self.tools.store.next_alarm().await?;
        let has_rung = |next: &NextAlarm| {
            let set_at = self.alarm.as_ref().map(|alarm| alarm.at);
            next.in_secs <= 0.0 && set_at == Some(next.at)
        };
        // What cannot be claimed now waits for the next sweep.
        if next.as_ref().is_some_and(has_rung) {
            return Ok(());
        }
        self.alarm = next.map(|next| {
            // A time that has come while this was asked is swept at once.
            let after = Duration::try_from_secs_f64(next.in_secs).unwrap_or_default();
            let ringing = myself.send_after(after, || Wake::Sweep);
            Alarm { at: next.at, _ringing: AbortOnDropHandle::new(ringing) }
        });
        Ok(())
    }
}
