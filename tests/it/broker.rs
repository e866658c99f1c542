//! The broker loses what it held, or is full of what it cannot carry: Postgres still has it.

use crate::world::World;

const COMPLETE: &str = "select count(*) from works where ingestion_status = 'complete'";

/// Every stream is deleted while a list is being worked on; all its movies arrive all the same, and
/// the events stand in the new stream.
#[tokio::test]
async fn deleted_streams_are_made_anew_with_what_they_held() {
    let world = World::start("lost-streams").await;
    world
        .publish(
            "movies.ingest.list",
            br#"{"source": "popular", "max_movies": 200, "run_id": "the-list"}"#,
        )
        .await;
    world
        .until(
            "select least(count(*), 1) from job_run where run_id = 'the-list' and pending > 0",
            1,
        )
        .await;
    for stream in ["MOVIES_INGEST", "MOVIES_STALE", "MOVIES_TICKS", "MOVIES_EVENTS", "MOVIES_DEAD"]
    {
        world.publish(&format!("$JS.API.STREAM.DELETE.{stream}"), b"").await;
    }
    world
        .until("select count(*) from job_run where run_id = 'the-list' and status = 'succeeded' and done + skipped >= 200", 1)
        .await;
    world.until("select count(*) from outbox where published_at is null", 0).await;
    let complete = world.one(COMPLETE).await;
    let events = world.verb(&["topology", "--check"]);
    assert!(events.contains("as nats/*.json says"), "{events}");
    assert_eq!(
        world.messages("MOVIES_EVENTS").await,
        world.one("select count(*) from outbox where subject ~ '^movies.(refreshed|changed|removed|run)'").await
    );
    assert_eq!(
        world.one("select count(*) from outbox where subject like 'movies.refreshed.%'").await,
        complete
    );
    assert_eq!(world.one("select count(*) from dead_letter").await, 0);
}

/// An event that no stream takes is parked where a person sees it, and holds up nobody.
#[tokio::test]
async fn an_event_that_is_too_large_is_a_dead_letter() {
    let world = World::start("too-large").await;
    world
        .execute(
            "insert into outbox (subject, message_id, ordering_key, headers, payload)
             values ('movies.changed.1', 'huge', '1', '{}', jsonb_build_object('text', repeat('x', 2000000)))",
        )
        .await;
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    world.until("select count(*) from dead_letter where consumer = 'outbox' and reason = 'not-publishable'", 1).await;
    world.until("select count(*) from outbox where published_at is null", 0).await;
    world.until(COMPLETE, 1).await;
}
