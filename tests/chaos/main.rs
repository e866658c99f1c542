//! Chaos: two replicas of every service under faults, and an oracle that knows what was asked of them.
//!
//! `make chaos MINUTES=10 SEED=7` runs it for longer; in the suite it takes a minute. A failure prints the seed and what was
//! done when. `hunt` switches one safeguard off at a time: the oracle has to notice each.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails loudly")]
#![expect(clippy::cast_precision_loss, reason = "instants in milliseconds fit")]

mod faults;
mod fleet;
mod hunt;
mod oracle;
mod proxy;
mod scene;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use runtime::{Clock, SystemClock};
use tests::Dice;
use tokio_util::sync::CancellationToken;

use crate::{faults::Fault, oracle::Kind, scene::Scene};

/// How long the system may take to be whole again after a fault.
const RECOVERY_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to come to rest at the end.
const QUIET_LIMIT: Duration = Duration::from_secs(120);

fn setting(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What happened, and how long it took to recover.
#[derive(Default)]
struct Report {
    timeline: Vec<String>,
    recovery: BTreeMap<Fault, Vec<f64>>,
}

/// Under faults for a while, then at rest: every obligation is met, nothing else was done, every row is in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_obligation_is_met() {
    let (minutes, seed) = (setting("MINUTES", 0.6), setting("SEED", 1.0) as u64);
    let mut scene = Scene::set(&format!("chaos-{seed}"), "").await;
    let mut report = Report::default();
    run(&mut scene, &mut report, (Duration::from_secs_f64(minutes * 60.0), seed, Fault::ALL)).await;
    let violations = finish(&mut scene, &mut report, QUIET_LIMIT).await;
    println!("{}", summary(&scene, &report, seed).await);
    if !violations.is_empty() {
        let text = format!("seed {seed}\n{}\n\nVIOLATIONS\n{}", report.timeline.join("\n"), violations.join("\n"));
        for replica in &scene.fleet.replicas {
            eprintln!("--- {}\n{}", replica.name, scene::tail(&scene.folder.0, &replica.name, 25));
        }
        panic!("{text}");
    }
}

/// Faults one after the other, each with a look at how long the system takes to be whole again.
async fn run(scene: &mut Scene, report: &mut Report, (span, seed, kinds): (Duration, u64, &[Fault])) {
    let (stop, begun) = (CancellationToken::new(), Instant::now());
    let submitting = tokio::spawn(scene::submit_until(stop.clone(), scene.oracle.clone(), Dice(seed ^ 0x5eed)));
    let mut dice = Dice(seed);
    // Each kind comes up before any comes twice.
    let mut bag: Vec<Fault> = Vec::new();
    scene.wait(Duration::from_secs(4)).await;
    while begun.elapsed() < span {
        if bag.is_empty() {
            bag = kinds.to_vec();
        }
        let fault = bag.swap_remove(usize::try_from(dice.roll(bag.len() as u64)).unwrap());
        let at = begun.elapsed();
        let what = fault.inject(scene, &mut dice).await;
        let over = begun.elapsed();
        let recovered = recover(scene).await;
        report.timeline.push(format!(
            "{:7.2} s  {} {what}; over at {:.2} s; whole again after {}",
            at.as_secs_f64(),
            fault.words(),
            over.as_secs_f64(),
            recovered.map_or_else(|| "TOO LONG".to_owned(), |r| format!("{:.2} s", r.as_secs_f64()))
        ));
        println!("{}", report.timeline.last().unwrap());
        match recovered {
            Some(span) => report.recovery.entry(fault).or_default().push(span.as_secs_f64()),
            None => scene.violations.push(format!("not whole {} s after {}", RECOVERY_LIMIT.as_secs(), fault.words())),
        }
    }
    stop.cancel();
    submitting.await.unwrap();
}

/// Until something new is accepted and met, and everything that was confirmed before.
async fn recover(scene: &mut Scene) -> Option<Duration> {
    let (oracle, begun) = (scene.oracle.clone(), Instant::now());
    let number = 1_000 * (1_000 + u64::try_from(oracle.all.lock().unwrap().len()).unwrap());
    let settled = tokio::spawn(async move {
        oracle.canary(number).await;
        oracle.settled(RECOVERY_LIMIT).await.map(|_| begun.elapsed())
    });
    while !settled.is_finished() {
        scene.wait(Duration::from_millis(50)).await;
    }
    settled.await.unwrap()
}

/// Waits for rest, then asks the oracle.
async fn finish(scene: &mut Scene, report: &mut Report, limit: Duration) -> Vec<String> {
    let begun = Instant::now();
    let oracle = scene.oracle.clone();
    // No nominal time comes any more: what is open now is all there is.
    sqlx::raw_sql("update job set enabled = false where name <> 'refresh_worker'").execute(&oracle.pool()).await.unwrap();
    let quiet = tokio::spawn(async move { oracle.quiet(limit).await });
    while !quiet.is_finished() {
        scene.wait(Duration::from_millis(50)).await;
    }
    report.timeline.push(format!("at rest {:.1} s after the last message", begun.elapsed().as_secs_f64()));
    sqlx::raw_sql("update job set enabled = false").execute(&scene.oracle.pool()).await.unwrap();
    let mut violations = std::mem::take(&mut scene.violations);
    // The sweep's own runs end within a moment.
    let oracle = scene.oracle.clone();
    let quiet = tokio::spawn(async move { oracle.quiet(Duration::from_secs(10)).await });
    while !quiet.is_finished() {
        scene.wait(Duration::from_millis(50)).await;
    }
    let stats = scene.sim.control().stats();
    violations.extend(scene.oracle.violations().await);
    let allowed = scene.oracle.calls_allowed(scene.lost_tries).await;
    if stats.detail_calls > allowed {
        violations.push(format!("{} TMDB calls for movies, {allowed} would do", stats.detail_calls));
    }
    // A process that was stopped may send what it had taken before: a slice of the rate, on top of a second's worth.
    let most = u64::from(scene::RATE) * 3 / 2;
    if stats.peak_per_second > most {
        violations.push(format!("{} TMDB calls within a second, the budget is {}", stats.peak_per_second, scene::RATE));
    }
    violations
}

fn median_and_most(spans: &[f64]) -> (f64, f64) {
    let mut sorted = spans.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[sorted.len() / 2], sorted[sorted.len() - 1])
}

async fn summary(scene: &Scene, report: &Report, seed: u64) -> String {
    let oracle = &scene.oracle;
    let all = oracle.all.lock().unwrap().clone();
    let count = |kind: Kind| all.iter().filter(|o| o.kind == kind && o.confirmed).count();
    let number = async |sql: &str| oracle.look(sql).await.unwrap_or(-1);
    let mut lines = vec![
        format!("seed {seed}, {:.1} min", (SystemClock.now() - oracle.begun()).as_seconds_f64() / 60.0),
        format!(
            "obligations: {} confirmed ({} movies, {} refreshes, {} lists, {} unknown, {} bad), {} sent without a confirmation, {} held by the broker alone when its store was deleted and not met since",
            all.iter().filter(|o| o.confirmed).count(),
            count(Kind::Ingest),
            count(Kind::Stale),
            count(Kind::List),
            count(Kind::Unknown),
            count(Kind::Bad),
            all.iter().filter(|o| !o.confirmed).count(),
            all.iter().filter(|o| o.confirmed && o.exempt && !o.met).count()
        ),
        format!(
            "dead letters {}, movies {}, events {}, runs {}, nominal times of the beat {}; TMDB calls {}, peak {} in a second; restarts that no fault asked for {}",
            number("select count(*) from dead_letter").await,
            number("select count(*) from works").await,
            number("select count(*) from outbox").await,
            number("select count(*) from job_run where status <> 'skipped'").await,
            number("select count(*) from job_run where job = 'beat'").await,
            scene.sim.control().stats().calls,
            scene.sim.control().stats().peak_per_second,
            scene.fleet.replicas.iter().map(|r| r.own_ends).sum::<u32>()
        ),
        format!("{:38} {:>5} {:>8} {:>8}", "fault", "times", "p50 s", "max s"),
    ];
    for (fault, spans) in &report.recovery {
        let (median, most) = median_and_most(spans);
        lines.push(format!("{:38} {:>5} {median:>8.2} {most:>8.2}", fault.words(), spans.len()));
    }
    lines.join("\n")
}
