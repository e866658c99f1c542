//! A proof that cannot fail proves nothing: with one safeguard off the oracle has to find a
//! violation.
//!
//! Five minutes; `make hunt` runs it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Report,
    faults::Fault,
    run::{Plan, finish, run},
    scene::{Props, Scene},
};

/// How long faults go on, and how long the rest may take: with a safeguard off it may never come,
/// with all on it takes seconds.
const FAULTY: Duration = Duration::from_secs(30);
const QUIET: Duration = Duration::from_secs(25);

async fn caught(safeguard: &str, (kinds, tmdb): (&[Fault], Value), told: &[&str]) {
    let name = format!("hunt-{safeguard}");
    let mut scene = Scene::set(Props { name: &name, without: safeguard, servers: 1 }).await;
    scene.sim.control().configure(tmdb).unwrap();
    let plan = Plan { span: FAULTY, seed: 3, kinds: kinds.to_vec(), only: Vec::new() };
    run(&mut scene, &mut Report::default(), &plan).await;
    let violations = finish(&mut scene, &mut Report::default(), QUIET).await;
    let telling = violations.iter().find(|v| told.iter().any(|words| v.contains(words)));
    let others: Vec<_> = violations.iter().take(8).collect();
    assert!(telling.is_some(), "{safeguard} is off and nobody noticed: {others:#?}");
    println!(
        "without {safeguard}: {} violations, as: {}",
        violations.len(),
        telling.map(|v| v.chars().take(160).collect::<String>()).unwrap()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "five minutes: make hunt"]
async fn without_inbox() {
    caught(
        "inbox",
        (&[Fault::LoseNats], json!({"latency_min_ms": 300})),
        &["written twice", "do not add up"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "five minutes: make hunt"]
async fn without_guarded_upsert() {
    // Of two answers about a movie the one that was asked for first often comes last.
    let overtaken = json!({"slow_share": 0.5, "slow_ms": 4000});
    caught("upsert", (&[Fault::ClockStep], overtaken), &["and is [", "older answer"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "five minutes: make hunt"]
async fn without_outbox() {
    caught(
        "outbox",
        (&[Fault::LoseNats], json!({"latency_min_ms": 300})),
        &["without an event", "open"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "five minutes: make hunt"]
async fn without_ack_after_commit() {
    caught("ack-after-commit", (&[Fault::KillAll], json!({"latency_min_ms": 300})), &["open:"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "five minutes: make hunt"]
async fn without_reaper() {
    caught(
        "reaper",
        (&[Fault::Orphans], json!({"latency_min_ms": 300})),
        &["queue rows without a worker"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "five minutes: make hunt"]
async fn without_tick_claim() {
    caught(
        "tick-claim",
        (&[Fault::DelayPostgres], json!({"latency_min_ms": 300})),
        &["fired twice"],
    )
    .await;
}
