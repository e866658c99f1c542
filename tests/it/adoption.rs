//! A database that the older jobs filled is adopted: nothing is lost, what misled the old jobs is
//! put right.

use serde_json::json;
use tests::{World, simulator};

/// An open row of a movie that TMDB cannot know stops no sweep; and the first answer that lacks a
/// part leaves what the app had.
#[tokio::test(flavor = "multi_thread")]
async fn adopted_rows_stop_nobody_and_keep_what_they_had() {
    let sim = simulator().await;
    let world = World::start_against("adopted", &sim, &[("TMDB_RATE", "0")]).await;
    world.add_adopted_movies().await;
    world.queue_all_first().await;
    sim.control().edit(603, json!({"credits": null}));
    world.verb(&["jobs", "run", "refresh_worker", "--follow"]);
    world.queue().completed().becomes(1).await;
    assert_eq!(world.queue().failed().saying("not an id of TMDB").await, 1);
    let kept = world.details().with_cast_member("Keanu").overview_is_not("as it was");
    assert_eq!(kept.await, 1);
    // Details that somebody took away come back, though TMDB has nothing new.
    world.delete_details().await;
    world.stale(603).await;
    world.details().with_document().becomes(1).await;
}
