//! A run: faults one after the other, each with a look at how soon all is whole again; then rest,
//! and what the oracle says.

use std::{
    fs,
    time::{Duration, Instant},
};

use tests::Dice;
use tokio_util::sync::CancellationToken;

use crate::{
    faults::Fault,
    oracle::{Limits, Settled, questions},
    plan::{self, Step},
    report::{Injection, Report},
    scene::{self, Scene},
};

/// How long the system may take to be whole again after a fault, whatever is promised.
const RECOVERY_LIMIT: Duration = Duration::from_secs(60);
/// How long a replica may take to say that it is ready after all is whole again: it may have to
/// find out that only a restart helps, and to start.
const READY_LIMIT: Duration = Duration::from_secs(75);
/// A wait that is reported.
const WORTH_A_WORD: Duration = Duration::from_secs(10);
/// The sweep's own runs end within a moment.
const LAST_RUNS: Duration = Duration::from_secs(10);

/// Which faults, for how long.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) span: Duration,
    pub(crate) seed: u64,
    pub(crate) kinds: Vec<Fault>,
    /// Only these numbers of the seed's sequence, and then it is over; empty: all until the time is
    /// over.
    pub(crate) only: Vec<usize>,
}

/// Faults one after the other, while work is submitted.
pub(crate) async fn run(scene: &mut Scene, report: &mut Report, plan: &Plan) {
    let (stop, begun) = (CancellationToken::new(), Instant::now());
    let submitting = tokio::spawn(scene::submit_until(
        stop.clone(),
        scene.oracle.clone(),
        Dice(plan.seed ^ 0x5eed),
    ));
    scene.wait(Duration::from_secs(4)).await;
    let last = plan.only.iter().max().copied();
    for mut step in plan::steps(plan.seed, &plan.kinds) {
        if last.map_or(begun.elapsed() >= plan.span, |last| step.number > last) {
            break;
        }
        if last.is_some() && !plan.only.contains(&step.number) {
            continue;
        }
        let (at, from) = (begun.elapsed(), tests::now());
        let what = step.fault.inject(scene, &mut step.dice).await;
        let (over, to) = (begun.elapsed(), tests::now());
        let spent = if step.fault.counts_from_its_begin() { over - at } else { Duration::ZERO };
        let settled = recover(scene, step.fault.promised().saturating_sub(spent)).await;
        let recovered = settled.after.map(|span| span + spent);
        judge(scene, &step, recovered, &settled.late).await;
        let fault = step.fault;
        report.add(Injection { step, what, at, begun: from, ended: to, recovered });
        all_ready(scene, fault).await;
    }
    stop.cancel();
    submitting.await.unwrap();
}

/// Whether all was whole again as soon as promised; else it is a violation.
async fn judge(scene: &mut Scene, step: &Step, recovered: Option<Duration>, late: &[String]) {
    let promised = step.fault.promised();
    if recovered.is_some_and(|span| span <= promised) {
        return;
    }
    // A message that fails by itself waits for its backoff, whatever else goes on.
    if recovered.is_some() && scene.oracle.failed_by_themselves(late).await {
        return;
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    scene.violations.push(format!(
        "#{} {}: not whole within {} s; open then: {}; the machine's load: {load}",
        step.number,
        step.fault.words(),
        promised.as_secs(),
        scene.oracle.in_words(late)
    ));
}

/// Until something new is accepted and met, and everything that was confirmed before.
async fn recover(scene: &mut Scene, promised: Duration) -> Settled {
    let (oracle, begun) = (scene.oracle.clone(), Instant::now());
    let number = 1_000 * (1_000 + u64::try_from(oracle.all.lock().unwrap().len()).unwrap());
    let settled = tokio::spawn(async move {
        oracle.canary(number).await;
        let canary = begun.elapsed();
        let limits = Limits { promised: promised.saturating_sub(canary), most: RECOVERY_LIMIT };
        let settled = oracle.settled(limits).await;
        Settled { after: settled.after.map(|span| canary + span), ..settled }
    });
    while !settled.is_finished() {
        scene.wait(Duration::from_millis(50)).await;
    }
    settled.await.unwrap()
}

/// Work is done again, so every replica has to say so soon.
async fn all_ready(scene: &mut Scene, after: Fault) {
    let (begun, mut at_first) = (Instant::now(), Vec::new());
    loop {
        let not_ready = scene.not_ready().await;
        if not_ready.is_empty() {
            return if begun.elapsed() > WORTH_A_WORD {
                println!(
                    "      ready only {:.0} s later: {at_first:?}",
                    begun.elapsed().as_secs_f64()
                );
            };
        }
        if begun.elapsed() <= WORTH_A_WORD {
            at_first.clone_from(&not_ready);
        }
        if begun.elapsed() > READY_LIMIT {
            scene.violations.push(format!(
                "not ready {} s after {}: {not_ready:?}",
                READY_LIMIT.as_secs(),
                after.words()
            ));
            return;
        }
        scene.wait(Duration::from_millis(250)).await;
    }
}

/// Waits for rest, then asks the oracle.
pub(crate) async fn finish(scene: &mut Scene, report: &mut Report, limit: Duration) -> Vec<String> {
    let begun = Instant::now();
    // No nominal time begins work any more: what is open now is all there is.
    scene.oracle.execute(questions::PAUSE_ALL_BUT_THE_SWEEP).await;
    quiet(scene, limit).await;
    report.rest = format!("at rest {:.1} s after the last message", begun.elapsed().as_secs_f64());
    scene.oracle.execute(questions::PAUSE_ALL).await;
    let mut violations = std::mem::take(&mut scene.violations);
    quiet(scene, LAST_RUNS).await;
    let stats = scene.sim.control().stats();
    violations.extend(scene.oracle.violations().await);
    violations.extend(scene.oracle.attempted_without_cause(&report.injected).await);
    let attempts = scene.oracle.movie_attempts().await;
    if stats.detail_calls > attempts {
        violations
            .push(format!("{} TMDB calls for movies in {attempts} attempts", stats.detail_calls));
    }
    // A process that was stopped may send what it had taken before: a slice of the rate, on top of
    // a second's worth.
    let most = u64::from(scene::RATE) * 3 / 2;
    if stats.peak_per_second > most {
        violations.push(format!(
            "{} TMDB calls within a second, the budget is {}",
            stats.peak_per_second,
            scene::RATE
        ));
    }
    violations
}

async fn quiet(scene: &mut Scene, limit: Duration) {
    let oracle = scene.oracle.clone();
    let quiet = tokio::spawn(async move { oracle.quiet(limit).await });
    while !quiet.is_finished() {
        scene.wait(Duration::from_millis(50)).await;
    }
}
