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

/// What is switched off, what is done, and what the oracle then has to say.
struct Hunt {
    safeguard: &'static str,
    fault: Fault,
    /// How the simulator is set.
    tmdb: Value,
    /// One of these is in a violation.
    words: &'static [&'static str],
}

/// Answers that take a moment: work is under way when the fault comes.
fn slow_answers() -> Value {
    json!({"latency_min_ms": 300})
}

async fn caught(hunt: Hunt) {
    let Hunt { safeguard, fault, tmdb, words } = hunt;
    let name = format!("hunt-{safeguard}");
    let mut scene = Scene::set(Props { name: &name, without: safeguard, servers: 1 }).await;
    scene.sim.control().configure(tmdb).unwrap();
    let plan = Plan { span: FAULTY, seed: 3, kinds: vec![fault], only: Vec::new() };
    run(&mut scene, &mut Report::default(), &plan).await;
    let violations = finish(&mut scene, &mut Report::default(), QUIET).await;
    let telling = violations.iter().find(|v| words.iter().any(|words| v.contains(words)));
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
    caught(Hunt {
        safeguard: "inbox",
        fault: Fault::LoseNats,
        tmdb: slow_answers(),
        words: &["written twice", "do not add up"],
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "five minutes: make hunt"]
async fn without_guarded_upsert() {
    caught(Hunt {
        safeguard: "upsert",
        fault: Fault::ClockStep,
        // Of two answers about a movie the one that was asked for first often comes last.
        tmdb: json!({"slow_share": 0.5, "slow_ms": 4000}),
        words: &["and is [", "older answer"],
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "five minutes: make hunt"]
async fn without_outbox() {
    caught(Hunt {
        safeguard: "outbox",
        fault: Fault::LoseNats,
        tmdb: slow_answers(),
        words: &["without an event", "open"],
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "five minutes: make hunt"]
async fn without_ack_after_commit() {
    caught(Hunt {
        safeguard: "ack-after-commit",
        fault: Fault::KillAll,
        tmdb: slow_answers(),
        words: &["open:"],
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "five minutes: make hunt"]
async fn without_reaper() {
    caught(Hunt {
        safeguard: "reaper",
        fault: Fault::Orphans,
        tmdb: slow_answers(),
        words: &["queue rows without a worker"],
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "five minutes: make hunt"]
async fn without_tick_claim() {
    caught(Hunt {
        safeguard: "tick-claim",
        fault: Fault::DelayPostgres,
        tmdb: slow_answers(),
        words: &["fired twice"],
    })
    .await;
}
