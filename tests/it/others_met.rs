//! What users of programs of this kind met, each a test by the id of its report: the other side is
//! unwell and a message pays for it, or bytes are taken for meaning.
//!
//! The simulator runs in the test's own runtime, which therefore has more than one thread.

#![expect(non_snake_case, reason = "a test is found by the id of the report that it holds")]

mod database;
mod meaning;
mod parts;
mod surroundings;
mod tmdb;

use tests::{Database, World, simulator};
use tmdb_sim::Sim;

/// A world with a simulator of its own, and no limit of calls.
async fn world(name: &str) -> (Sim, World) {
    world_with(name, &[]).await
}

/// As `world`, with these settings.
async fn world_with(name: &str, settings: &[(&str, &str)]) -> (Sim, World) {
    let sim = simulator().await;
    let settings: Vec<(&str, &str)> =
        [("TMDB_RATE", "0")].into_iter().chain(settings.iter().copied()).collect();
    let world = World::start_against(name, &sim, &settings).await;
    (sim, world)
}

/// No message ended as a dead letter, and none has an attempt that counts as failed.
async fn no_message_paid(database: &Database) {
    assert_eq!(database.errors_of_dead_letters().await, "none");
    assert_eq!(database.calls().that_are_retries().await, 0, "attempts were counted");
}
