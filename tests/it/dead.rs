//! Dead letters are looked at, mended, sent again and dropped.

use tests::World;

/// The whole way of a dead letter through the hands of a person.
#[tokio::test]
async fn dead_letters_are_listed_replayed_and_dropped() {
    let world = World::start("dead").await;
    world.publish("movies.ingest.movie", br#"{"tmdb_id": "tt603"}"#).await;
    world.publish("movies.ingest.movie", b"hello").await;
    world.ingest(999_999_999).await;
    world.dead_letters().becomes(3).await;
    let listed = world.verb(&["dead", "list"]);
    for word in ["invalid-payload", "not-found", "ingest-movie"] {
        assert!(listed.contains(word), "{listed}");
    }
    assert!(world.verb(&["dead", "list", "--reason", "not-found"]).contains("999999999"));
    let id = async |payload| world.dead_letters().carrying(payload).id().await.to_string();
    let (text, hello) = (id(r#"{"tmdb_id": "tt603"}"#).await, id("hello").await);
    assert!(world.verb(&["dead", "show", &text]).contains("is not a TMDB movie id"));
    for (args, why) in [
        (&["dead", "replay"][..], "say which"),
        (&["dead", "drop"], "say which"),
        (&["dead", "show", "77"], "no dead letter 77"),
        (&["dead", "replay", &hello], "give another with --payload"),
        (&["dead", "replay", "--all", "--payload", r#"{"tmdb_id": 603}"#], "for one id"),
    ] {
        let told = world.verb_fails(args);
        assert!(told.contains(why), "{args:?}: {told}");
    }
    let told = world.verb(&["dead", "replay", &text, "--payload", r#"{"tmdb_id": 603}"#]);
    assert!(told.contains(&format!("replay:{text}:1")), "{told}");
    world.complete(603).await;
    assert!(world.verb_fails(&["dead", "replay", &text]).contains("--again"));
    // What is sent again as it was dies again, as a dead letter of its own.
    world.verb(&["dead", "replay", "--reason", "not-found"]);
    world.dead_letters().because("not-found").becomes(2).await;
    assert!(world.verb(&["dead", "drop", "--all"]).contains("4 dead letters dropped"));
    assert!(world.verb(&["dead", "list"]).contains("no dead letters"));
}
