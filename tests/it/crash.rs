//! Killed and stopped in the middle: nothing is lost, nothing is left behind.

use std::time::Duration;

use tests::{Folder, World, nats_login};

/// kill -9 while a run is under way: the next start ends it, and its counts add up.
#[tokio::test]
async fn a_killed_run_is_ended_by_the_next_start() {
    let world = World::start("killed").await;
    world.verb(&["jobs", "run", "scheduled_ingest_weekly"]);
    world.runs().running().with_pending().with_done().becomes(1).await;
    let world = World::start_in(world.kill().await).await;
    world.runs().having_done(80).without_pending().succeeds().await;
    assert_eq!(world.list_runs().ingested(80).that_add_up().await, 1);
    assert_eq!(world.movies().complete().await, 80);
    world.all_published().await;
    assert_eq!(world.events("movies.refreshed.*").await, 80, "one event per movie");
}

/// SIGTERM ends within the grace time, leaves no server and no lock; the next start goes on with
/// the same data.
#[tokio::test]
async fn a_stop_leaves_nothing_behind() {
    let world = World::start("stopped").await;
    world.verb(&["ingest", "--movie", "603", "--follow"]);
    let nats = nats_login(&world.nats_url).0.to_owned();
    let (folder, took) = world.stop().await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(tokio::net::TcpStream::connect(&nats).await.is_err(), "nats-server still listens");
    assert!(!folder.0.join("endpoints.json").exists());
    let world = World::start_in(folder).await;
    assert_eq!(world.movie(603).await, 1);
}

/// A message that kills the process each time is found out by the row written before the work, runs
/// alone, and becomes a dead letter; what was in flight beside it when the process died is done.
#[tokio::test]
async fn a_message_that_kills_the_process_is_found_out() {
    let deadly = [("MANGOES_ABORT", "poison")];
    let start = async |folder| World::run_up(folder, &["up", "--demo"], &deadly).await;
    let mut world = start(Folder::new("poison")).await;
    world.publish_with_id("movies.ingest.movie", "poison", br#"{"tmdb_id": 155}"#).await;
    for id in [603, 550, 13] {
        world.ingest(id).await;
    }
    let mut deaths = 0;
    while !world.lives_until_a_dead_letter().await {
        deaths += 1;
        assert!(deaths < 12, "it kills for ever");
        world = start(world.kill().await).await;
    }
    world.dead_letters().because("poison").keyed("poison").becomes(1).await;
    world.all_complete(&[603, 550, 13]).await;
    assert_eq!(world.dead_letters().await, 1, "nobody else is blamed");
    assert!((4..=7).contains(&deaths), "{deaths} deaths");
}
