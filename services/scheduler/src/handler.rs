//! The scheduler's actor: sweeps the jobs that are due, claims their nominal times, sets the alarm
//! for the next.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use delivery::CONSUMERS;
use futures::{StreamExt, TryStreamExt, stream};
use proto::{Action, TriggerType};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::{ChildSpec, Part};
use sha2::{Digest, Sha256};
use store::{DueJob, LossCheck, NextTime, Nominal, NominalFate, Store, StoreError};
use time::OffsetDateTime;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use calendar::{Calendar, CalendarError};

use crate::{Config, SchedulerError, Tools, alarm::Alarm};

/// Jobs per sweep; the rest follows at once in the next.
const SWEEP_MAX: i64 = 500;
/// Rows that one claim writes at most; the rest follows in the next sweep.
const ROWS_MAX: usize = 1_000;
/// A run that begins later than this after its nominal time is one that catches up.
const LATE: time::Duration = time::Duration::seconds(30);
/// Jobs that are claimed side by side.
const CLAIMS_AT_ONCE: usize = 8;
/// How often runs that nobody works on and overdue jobs are looked for.
const WATCH_EVERY: Duration = Duration::from_secs(5);
/// It sweeps every second; a sweep over many jobs takes longer.
const PART: Part = Part { name: "scheduler", allowed: Duration::from_secs(30), vital: true };
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
    /// A sweep is asked for and not begun: ten thousand notifications are one sweep.
    asked: Asked,
    watched_at: Option<Instant>,
    /// Ends with the actor, however that ends: its connection would be missing in the pool.
    _waking: AbortOnDropHandle<()>,
}

type Asked = Arc<AtomicBool>;

fn ask(myself: &ActorRef<Wake>, asked: &Asked) {
    if !asked.swap(true, Ordering::AcqRel) {
        drop(myself.cast(Wake::Sweep));
    }
}

pub(crate) fn child(tools: Tools, config: Config) -> ChildSpec {
    ChildSpec::new("clock", move |root| {
        let args = (tools.clone(), config);
        async move {
            Actor::spawn_linked(None, Scheduler, args, root)
                .await
                .map(|(child, _)| child.get_cell())
        }
    })
}

impl Actor for Scheduler {
    type Msg = Wake;
    type State = State;
    type Arguments = (Tools, Config);

    async fn pre_start(
        &self,
        myself: ActorRef<Wake>,
        (tools, config): (Tools, Config),
    ) -> Result<State, ActorProcessingErr> {
        let asked = Asked::default();
        ask(&myself, &asked);
        myself.send_interval(config.sweep_every, || Wake::Sweep);
        let (drain, edited, waking) = (tools.drain.clone(), myself.clone(), Asked::clone(&asked));
        let store = tools.store.clone();
        let waking = tokio::spawn(async move {
            tokio::select! {
                () = drain.cancelled() => drop(edited.cast(Wake::Drain)),
                // Lost notifications cost nothing but the time until the next sweep.
                _ = store.listen("mangoes_jobs", || ask(&edited, &waking)) => {}
            }
            drain.cancelled().await;
            tokio::time::sleep(DRAIN_CHECK).await;
            drop(edited.cast(Wake::Drain));
        });
        tools.bus.pulse().beat(PART);
        Ok(State {
            tools,
            alarm: Alarm::new().await?,
            alarm_at: None,
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
                    Ok(()) => state.tools.bus.pulse().works(PART.name),
                    Err(e) => {
                        warn!(error = %runtime::chain(&e), "the sweep failed; the next one makes up for it");
                        state.tools.bus.pulse().fails(PART.name, &runtime::chain(&e));
                    }
                }
                state.tools.bus.pulse().beat(PART);
            }
        }
        Ok(())
    }
}

fn calendar_of(job: &DueJob) -> Result<(Calendar, Option<Calendar>), CalendarError> {
    let calendar =
        |schedule: &str| Calendar::parse(schedule, &job.timezone, (job.dst_gap, job.dst_overlap));
    Ok((calendar(&job.schedule)?, job.exclusions.as_deref().map(calendar).transpose()?))
}

/// What becomes of the nominal times that have come. Those on time run. Of those that were missed
/// the latest within the catch-up window run, as many as the job says; with one, it stands for all
/// of them.
fn decide(
    job: &DueJob,
    excluded: &impl Fn(OffsetDateTime) -> bool,
    times: &[OffsetDateTime],
) -> Vec<Nominal> {
    let oldest = job.now - time::Duration::seconds(job.catch_up_secs.into()).max(LATE);
    let late = |at: OffsetDateTime| job.now - at > LATE;
    let mut fates: Vec<Option<String>> =
        times.iter().map(|at| refusal(job, excluded, *at, oldest)).collect();
    let open = |fates: &[Option<String>], wanted_late: bool| -> Vec<usize> {
        let open = times
            .iter()
            .zip(fates)
            .enumerate()
            .filter(|(_, (at, fate))| fate.is_none() && late(**at) == wanted_late);
        open.map(|(n, _)| n).collect()
    };
    let missed = open(&fates, true);
    let on_time = open(&fates, false);
    // With a single one to stand for all, one that is on time does it as well.
    let cap = usize::try_from(job.catch_up_max).unwrap_or(1);
    let made_up = if cap == 1 && !on_time.is_empty() { 0 } else { cap.min(missed.len()) };
    let (left_out, _) = missed.split_at(missed.len() - made_up);
    let stands = missed.get(left_out.len()).or(on_time.first()).copied();
    for n in left_out {
        let words = match stands.and_then(|n| times.get(n)) {
            Some(stands) if cap == 1 => format!("coalesced into {stands}"),
            Some(_) | None => format!("cap: at most {cap} missed times are made up for"),
        };
        fates.iter_mut().skip(*n).take(1).for_each(|fate| *fate = Some(words.clone()));
    }
    let mut left = job.runs_left.unwrap_or(i64::MAX);
    let mut nominal = Vec::with_capacity(times.len());
    for (n, (at, fate)) in times.iter().zip(fates).enumerate() {
        let fate = match fate {
            Some(reason) => NominalFate::Skipped(reason),
            None if left == 0 => NominalFate::Skipped("ended: its runs are used up".to_owned()),
            None => {
                left -= 1;
                let stands_for = (cap == 1 && Some(n) == stands && !left_out.is_empty())
                    .then(|| format!("stands for {} nominal times", left_out.len() + 1));
                NominalFate::Runs(
                    if late(*at) { TriggerType::CatchUp } else { TriggerType::Scheduled },
                    stands_for,
                )
            }
        };
        nominal.push(Nominal { at: *at, fate });
    }
    nominal
}

/// Why a nominal time does not run, whatever the others do.
fn refusal(
    job: &DueJob,
    excluded: &impl Fn(OffsetDateTime) -> bool,
    at: OffsetDateTime,
    oldest: OffsetDateTime,
) -> Option<String> {
    if let Some(why) = &job.hold {
        return Some(format!("all jobs are held: {why}"));
    }
    if !job.enabled && job.paused_until.is_none_or(|until| at < until) {
        return Some(format!("paused: {}", job.note.as_deref().unwrap_or("no note")));
    }
    if excluded(at) {
        return Some(format!("excluded by '{}'", job.exclusions.as_deref().unwrap_or_default()));
    }
    (at < oldest).then(|| format!("outside the catch-up window of {} s", job.catch_up_secs))
}

/// The same nominal time always fires equally late.
fn jitter(job: &DueJob, at: OffsetDateTime) -> i32 {
    let digest = Sha256::digest(format!("{}@{}", job.name, at.unix_timestamp()));
    let number = digest.iter().take(4).fold(0_u32, |n, byte| n << 8 | u32::from(*byte));
    let span = u32::try_from(job.jitter_secs).unwrap_or(0) + 1;
    i32::try_from(number % span).unwrap_or(0)
}

impl State {
    async fn sweep(&mut self, myself: &ActorRef<Wake>) -> Result<(), SchedulerError> {
        let due = self.tools.store.due_jobs(SWEEP_MAX).await?;
        let more = i64::try_from(due.len()).is_ok_and(|n| n == SWEEP_MAX);
        let store = &self.tools.store;
        stream::iter(due)
            .map(Ok)
            .try_for_each_concurrent(CLAIMS_AT_ONCE, |job| async move {
                match fire_or_note(store, &job).await {
                    Err(e @ SchedulerError::Store(StoreError::Unavailable(_))) => Err(e),
                    // One job's trouble is no other's.
                    Err(e) => {
                        warn!(job = %job.name, error = %runtime::chain(&e), "this job's nominal time waits for the next sweep");
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
                        warn!(run = %run.run_id, error = %runtime::chain(&e), "the run is looked at again later");
                        continue;
                    }
                };
                warn!(run = %run.run_id, again = again.as_deref().unwrap_or("no"), "no message carries the run any more");
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

    async fn set_alarm(&mut self, myself: &ActorRef<Wake>) -> Result<(), SchedulerError> {
        let next = self.tools.store.next_alarm().await?;
        if next.map(|next| next.at) == self.alarm_at {
            return Ok(());
        }
        self.alarm_at = next.map(|next| next.at);
        let after = next.and_then(|next| Duration::try_from_secs_f64(next.in_secs).ok());
        let Some(after) = after else {
            return Ok(());
        };
        let myself = myself.clone();
        self.alarm.set(after, move || drop(myself.cast(Wake::Sweep))).await
    }
}

async fn fire_or_note(store: &Store, job: &DueJob) -> Result<(), SchedulerError> {
    match calendar_of(job) {
        Ok((calendar, exclusions)) => fire(store, job, (&calendar, exclusions.as_ref())).await,
        // It waits, paused, for its next edit instead of failing every second.
        Err(e) => {
            warn!(job = %job.name, error = %e, "the job is paused: its schedule cannot be read");
            Ok(store.pause_unreadable(job, &e.to_string()).await?)
        }
    }
}

/// Gives every nominal time that has come its row, and moves on to the next.
async fn fire(
    store: &Store,
    job: &DueJob,
    (calendar, exclusions): (&Calendar, Option<&Calendar>),
) -> Result<(), SchedulerError> {
    let next_after = |at: OffsetDateTime| {
        calendar.next_after(at).filter(|at| job.ends_at.is_none_or(|end| *at <= end))
    };
    let with_jitter = |at: Option<OffsetDateTime>| NextTime {
        at,
        jitter_secs: at.map_or(0, |at| jitter(job, at)),
    };
    let Some(first) = job.next_at else {
        let from =
            job.starts_at.map_or(job.now, |start| job.now.max(start - time::Duration::SECOND));
        let next = next_after(from).filter(|_| job.runs_left != Some(0));
        return Ok(store.set_next(job, with_jitter(next)).await?);
    };
    let fires =
        |at: &OffsetDateTime| *at + time::Duration::seconds(jitter(job, *at).into()) <= job.now;
    // The first is due: the database said so.
    let rest = std::iter::successors(next_after(first), |at| next_after(*at))
        .take_while(fires)
        .take(ROWS_MAX);
    let times: Vec<OffsetDateTime> = std::iter::once(first).chain(rest).collect();
    let excluded = |at: OffsetDateTime| exclusions.is_some_and(|e| e.matches_minute_of(at));
    let nominal = decide(job, &excluded, &times);
    let runs = nominal.iter().filter(|n| matches!(n.fate, NominalFate::Runs(..))).count();
    let used_up = job.runs_left.is_some_and(|left| left <= i64::try_from(runs).unwrap_or(i64::MAX));
    let next = if used_up { None } else { next_after(times.last().copied().unwrap_or(first)) };
    if store.claim(job, &nominal, with_jitter(next)).await? {
        info!(job = %job.name, scheduled_for = %first, times = times.len(), runs, "claimed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-24 11:00:10 UTC);

    fn job() -> DueJob {
        DueJob {
            name: "job".parse().unwrap(),
            schedule: "* * * * *".to_owned(),
            timezone: "UTC".to_owned(),
            dst_gap: calendar::Gap::RunAfter,
            dst_overlap: calendar::Overlap::First,
            next_at: None,
            catch_up_secs: 3_600,
            catch_up_max: 1,
            exclusions: None,
            jitter_secs: 0,
            runs_left: None,
            starts_at: None,
            ends_at: None,
            enabled: true,
            paused_until: None,
            hold: None,
            note: None,
            revision: 1,
            now: NOW,
        }
    }

    /// The fates of 10:56 to 11:00, as one word each.
    fn fates(job: &DueJob) -> Vec<String> {
        let times: Vec<_> = (56..60)
            .map(|m| datetime!(2026-11-24 10:00 UTC) + time::Duration::minutes(m))
            .collect();
        let times: Vec<_> = times.into_iter().chain([datetime!(2026-11-24 11:00 UTC)]).collect();
        let word = |n: Nominal| match n.fate {
            NominalFate::Skipped(reason) => reason.split([' ', ':']).next().unwrap().to_owned(),
            NominalFate::Runs(trigger, note) => {
                format!("{}{}", trigger.as_str(), note.map(|n| format!(" {n}")).unwrap_or_default())
            }
        };
        decide(job, &|at| at.minute() == 57 && job.exclusions.is_some(), &times)
            .into_iter()
            .map(word)
            .collect()
    }

    #[test]
    fn what_was_missed_is_made_up_for_as_the_policy_says() {
        let all = |first: &str, last: &str| {
            [first, first, first, first, last].map(ToOwned::to_owned).to_vec()
        };
        let (paused, held) = (
            || DueJob { enabled: false, ..job() },
            || DueJob { hold: Some(String::new()), ..job() },
        );
        for (what, job, expected) in [
            (
                "one on time stands for all",
                job(),
                all("coalesced", "scheduled stands for 5 nominal times"),
            ),
            ("no catch-up", DueJob { catch_up_secs: 0, ..job() }, all("outside", "scheduled")),
            ("each of them", DueJob { catch_up_max: 10, ..job() }, all("catch_up", "scheduled")),
            ("paused", paused(), all("paused", "paused")),
            ("held", held(), all("all", "all")),
            (
                "used up",
                DueJob { catch_up_max: 10, runs_left: Some(0), ..job() },
                all("ended", "ended"),
            ),
        ] {
            assert_eq!(fates(&job), expected, "{what}");
        }
        let some = |words: [&str; 5]| words.map(ToOwned::to_owned).to_vec();
        let two = DueJob { catch_up_max: 2, ..job() };
        assert_eq!(fates(&two), some(["cap", "cap", "catch_up", "catch_up", "scheduled"]));
        let window = DueJob { catch_up_secs: 150, catch_up_max: 5, ..job() };
        assert_eq!(
            fates(&window),
            some(["outside", "outside", "catch_up", "catch_up", "scheduled"])
        );
        let excluded =
            DueJob { exclusions: Some("57 * * * *".to_owned()), catch_up_max: 5, ..job() };
        assert_eq!(
            fates(&excluded),
            some(["catch_up", "excluded", "catch_up", "catch_up", "scheduled"])
        );
        let limited = DueJob { runs_left: Some(2), catch_up_max: 5, ..job() };
        assert_eq!(fates(&limited), some(["catch_up", "catch_up", "ended", "ended", "ended"]));
        let until = DueJob {
            paused_until: Some(datetime!(2026-11-24 10:58 UTC)),
            catch_up_max: 5,
            ..paused()
        };
        assert_eq!(fates(&until), some(["paused", "paused", "catch_up", "catch_up", "scheduled"]));
        // Nothing on time: the latest of the missed ones stands for the rest.
        let late = DueJob { now: NOW + time::Duration::minutes(1), ..job() };
        assert_eq!(fates(&late), all("coalesced", "catch_up stands for 5 nominal times"));
    }

    #[test]
    fn jitter_is_always_the_same_for_the_same_time_and_within_its_span() {
        let late = DueJob { jitter_secs: 60, ..job() };
        let offsets: Vec<i32> =
            (0..500).map(|m| jitter(&late, NOW + time::Duration::minutes(m))).collect();
        assert_eq!(
            offsets,
            (0..500).map(|m| jitter(&late, NOW + time::Duration::minutes(m))).collect::<Vec<_>>()
        );
        assert!(offsets.iter().all(|s| (0..=60).contains(s)));
        let (low, high) = (
            offsets.iter().filter(|s| **s < 20).count(),
            offsets.iter().filter(|s| **s > 40).count(),
        );
        assert!(low > 100 && high > 100, "{low} {high}");
        assert_eq!(jitter(&job(), NOW), 0);
    }
}
