//! Killed and stopped in the middle: nothing is lost, nothing is left behind.

use std::time::Duration;

use crate::world::{Folder, World};

/// kill -9 while a run is under way: the next start ends it, and its counts add up.
#[tokio::test]
async fn a_killed_run_is_ended_by_the_next_start() {
    let world = World::start("killed").await;
    world.verb(&["jobs", "run", "scheduled_ingest_weekly"]);
    let begun =
        "select count(*) from job_run where status = 'running' and pending > 0 and done > 0";
    world.until(begun, 1).await;
    let folder = world.kill().await;
    let world = World::start_in(folder).await;
    world
        .until(
            "select count(*) from job_run where status = 'succeeded' and done = 80 and pending = 0",
            1,
        )
        .await;
    let log = "select count(*) from scheduled_ingestion_log
        where movies_ingested = 80 and movies_checked = movies_skipped + movies_ingested + movies_failed + movies_not_needed";
    assert_eq!(world.one(log).await, 1);
    assert_eq!(
        world.one("select count(*) from works where ingestion_status = 'complete'").await,
        80
    );
    world.until("select count(*) from outbox where published_at is null", 0).await;
    assert_eq!(
        world.one("select count(*) from outbox where subject like 'movies.refreshed.%'").await,
        80,
        "one event per movie"
    );
}

/// SIGTERM ends within the grace time, leaves no server and no lock; the next start goes on with
/// the same data.
#[tokio::test]
async fn a_stop_leaves_nothing_behind() {
    let world = World::start("stopped").await;
    world.verb(&["ingest", "--movie", "603", "--follow"]);
    let nats = tests::nats_login(&world.nats_url).0.to_owned();
    let (folder, took) = world.stop().await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(tokio::net::TcpStream::connect(&nats).await.is_err(), "nats-server still listens");
    assert!(!folder.0.join("endpoints.json").exists());
    let world = World::start_in(folder).await;
    assert_eq!(world.one("select count(*) from works where tmdb_id = '603'").await, 1);
}

/// A message that kills the process each time is found out by the row written before the work, runs
/// alone, and becomes a dead letter; what was in hand beside it when the process died is done.
#[tokio::test]
async fn a_message_that_kills_the_process_is_found_out() {
    let deadly = [("MANGOES_ABORT", "poison")];
    let mut world = World::run(Folder::new("poison"), &["up", "--demo"], &deadly).await;
    world.request_with_id("movies.ingest.movie", "poison", br#"{"tmdb_id": 155}"#).await;
    for id in [603, 550, 13] {
        world.publish("movies.ingest.movie", format!(r#"{{"tmdb_id": {id}}}"#).as_bytes()).await;
    }
    let mut deaths = 0;
    while !world.buried_within(Duration::from_secs(60)).await {
        deaths += 1;
        assert!(deaths < 12, "it kills for ever");
        world = World::run(world.kill().await, &["up", "--demo"], &deadly).await;
    }
    world
        .until(
            "select count(*) from dead_letter where reason = 'poison' and message_key = 'poison'",
            1,
        )
        .await;
    world.until("select count(*) from works where tmdb_id in ('603', '550', '13') and ingestion_status = 'complete'", 3).await;
    assert_eq!(world.one("select count(*) from dead_letter").await, 1, "nobody else is blamed");
    assert!((4..=7).contains(&deaths), "{deaths} deaths");
}
