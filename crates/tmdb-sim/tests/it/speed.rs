//! How fast one core answers; printed, and held to a limit in release builds only.

use std::time::{Duration, Instant};

use tmdb_sim::{Options, Sim};

use crate::all_parts;
use crate::client::Client;

/// Requests per second that a release build must answer with all parts, unpacked.
const LEAST_PER_SECOND: f64 = 5_000.0;
const CONNECTIONS: u64 = 8;
const REQUESTS: u64 = 4_000;

/// A simulator whose thread does nothing else.
fn on_its_own_thread() -> Sim {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            sender.send(Sim::start(Options::default()).await.unwrap()).unwrap();
            tokio::time::sleep(Duration::from_secs(120)).await;
        });
    });
    receiver.recv().unwrap()
}

async fn per_second(sim: &Sim, query: &str, headers: &'static str) -> f64 {
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for connection in 0..CONNECTIONS {
        let (mut client, query) = (Client::connect(sim).await, query.to_owned());
        tasks.spawn(async move {
            for number in 0..REQUESTS {
                let id = 1 + connection * REQUESTS + number;
                client.try_get(&format!("/3/movie/{id}{query}"), headers).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    (CONNECTIONS * REQUESTS) as f64 / started.elapsed().as_secs_f64()
}

#[tokio::test]
#[ignore = "a measurement: cargo test --release -p tmdb-sim -- --ignored --nocapture"]
async fn one_core_answers_thousands_of_requests_per_second() {
    let sim = on_its_own_thread();
    let all_parts = format!("?append_to_response={}", all_parts());
    let plain = per_second(&sim, "", "Authorization: Bearer x\r\n").await;
    let whole = per_second(&sim, &all_parts, "Authorization: Bearer x\r\n").await;
    let packed =
        per_second(&sim, &all_parts, "Authorization: Bearer x\r\nAccept-Encoding: gzip\r\n").await;
    println!("plain {plain:.0}/s, all parts {whole:.0}/s, all parts packed {packed:.0}/s");
    assert!(cfg!(debug_assertions) || whole >= LEAST_PER_SECOND, "{whole:.0}/s");
}
