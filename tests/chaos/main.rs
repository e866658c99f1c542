//! Chaos: two replicas of every service under faults, and an oracle that knows what was asked of
//! them.
//!
//! `make chaos MINUTES=10 SEED=7` runs it for longer; in the suite it takes a minute. A failure
//! prints the seed, what was done when, and what is known of each open obligation. `make shrink`
//! finds the few faults that matter; `hunt` switches one safeguard off at a time: the oracle has to
//! notice each.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]
#![expect(clippy::cast_precision_loss, reason = "instants in milliseconds fit")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its report is what a person reads")]

mod broker;
mod explain;
mod faults;
mod fleet;
mod hunt;
mod oracle;
mod plan;
mod report;
mod run;
mod scene;
mod shrink;

use std::time::Duration;

use crate::{
    faults::Fault,
    report::{Report, summary},
    run::{Plan, finish, run},
    scene::{Props, Scene},
};

/// How long the system may take to come to rest at the end.
const QUIET_LIMIT: Duration = Duration::from_secs(120);

fn setting(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn words(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Under faults for a while, then at rest: every obligation is met, nothing else was done, every
/// row is in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_obligation_is_met() {
    obligations_are_met(1).await;
}

/// The same on three NATS servers with three copies of each stream. No message is exempt here: one
/// store that is lost loses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_obligation_is_met_on_a_cluster() {
    obligations_are_met(3).await;
}

async fn obligations_are_met(servers: usize) {
    let (minutes, seed) = (setting("MINUTES", 1.0), setting("SEED", 1.0) as u64);
    let (without, name) = (words("WITHOUT"), format!("chaos-{servers}-{seed}"));
    let mut scene = Scene::set(Props { name: &name, without: &without, servers }).await;
    let mut report = Report::default();
    let plan = Plan {
        span: Duration::from_secs_f64(minutes * 60.0),
        seed,
        kinds: Fault::kinds(servers),
        only: plan::only(&words("ONLY")),
    };
    run(&mut scene, &mut report, &plan).await;
    let violations = finish(&mut scene, &mut report, QUIET_LIMIT).await;
    println!("{}", summary(&scene, &report, seed).await);
    if !violations.is_empty() {
        for replica in &scene.fleet.replicas {
            eprintln!("--- {}\n{}", replica.name, scene::tail(&scene.folder.0, &replica.name, 25));
        }
        let stories = explain::open_obligations(&scene, &report).await;
        panic!(
            "seed {seed}\n{}\n\nVIOLATIONS\n{}\n{stories}",
            report.timeline(),
            violations.join("\n")
        );
    }
}
