//! A database that the older jobs filled is adopted: nothing is lost, what misled the old jobs is
//! put right.

use serde_json::json;
use tests::{Database, Folder, Said, World, mangoes, postgres, simulator};

/// The older schema is migrated twice, with its rows: all are there, and none misleads.
#[tokio::test]
async fn an_older_database_is_adopted() {
    let folder = Folder::new("adoption");
    let postgres = postgres(&folder).await;
    let url = postgres.database_url();
    let database = Database::connect(&url, &folder.0.join("up.log")).await;
    database.become_an_older_one().await;
    for round in ["first", "second"] {
        let said = Said::by(mangoes(&folder.0).arg("migrate").env("DATABASE_URL", &url));
        assert!(said.succeeded(), "{round}: {}", said.text);
    }
    assert_eq!(database.movies().await, 4, "nothing is lost");
    assert_eq!(database.details().overview("as it was").await, 3, "nor in the details");
    assert_eq!(database.ratings_with_votes(26_000).await, 4, "nor in the ratings");
    assert_eq!(database.older_calls().await, 1, "the old log is kept beside the new one");
    assert_eq!(database.movie(13).never_refreshed().stale().await, 1, "never stored = stale");
    assert_eq!(database.queue().queued().await, 2, "no row stays in processing for ever");
    assert_eq!(database.stale_list().with_tmdb_id("13").await, 1, "what is due is found");
    let unknowable = database.stale_list().with_tmdb_id("tt0133093").await;
    assert_eq!(unknowable, 0, "what TMDB cannot know stops no scan");
    assert_eq!(database.jobs().await, 5, "the jobs are there");
    database.write_what_older_rules_forbade().await;
    database.close().await;
    postgres.stop().await.unwrap();
}

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
