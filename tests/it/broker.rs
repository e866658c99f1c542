//! The broker loses what it held, or is full of what it cannot carry: Postgres still has it.

use tests::World;

/// Every stream is deleted while a list is being worked on; all its movies arrive all the same, and
/// the events stand in the new stream.
#[tokio::test]
async fn deleted_streams_are_made_anew_with_what_they_held() {
    let world = World::start("lost-streams").await;
    world.ingest_list_as("the-list", "popular", 200).await;
    world.run_with_id("the-list").with_pending().reaches(1).await;
    for stream in ["MOVIES_INGEST", "MOVIES_STALE", "MOVIES_TICKS", "MOVIES_EVENTS", "MOVIES_DEAD"]
    {
        world.publish(&format!("$JS.API.STREAM.DELETE.{stream}"), b"").await;
    }
    world.run_with_id("the-list").having_done_or_skipped_at_least(200).succeeds().await;
    world.all_published().await;
    let complete = world.movies().complete().await;
    let checked = world.verb(&["topology", "--check"]);
    assert!(checked.contains("as nats/*.json says"), "{checked}");
    assert_eq!(world.messages("MOVIES_EVENTS").await, world.events_for_the_app().await);
    assert_eq!(world.events("movies.refreshed.*").await, complete);
    assert_eq!(world.dead_letters().await, 0);
}

/// An event that no stream takes is parked where a person sees it, and holds up nobody.
#[tokio::test]
async fn an_event_that_is_too_large_is_a_dead_letter() {
    let world = World::start("too-large").await;
    world.add_huge_event().await;
    world.ingest(603).await;
    world.dead_letters().of("outbox").because("not-publishable").becomes(1).await;
    world.all_published().await;
    world.movies().complete().becomes(1).await;
}
