//! Dead letters are looked at, mended, sent again and dropped.

use crate::world::World;

#[tokio::test]
async fn dead_letters_are_listed_replayed_and_dropped() {
    let world = World::start("dead").await;
    world.publish("movies.ingest.movie", br#"{"tmdb_id": "603"}"#).await;
    world.publish("movies.ingest.movie", b"hello").await;
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 999999999}"#).await;
    world.until("select count(*) from dead_letter", 3).await;
    let listed = world.verb(&["dead", "list"]);
    assert!(
        listed.contains("invalid-payload")
            && listed.contains("not-found")
            && listed.contains("ingest-movie"),
        "{listed}"
    );
    assert!(world.verb(&["dead", "list", "--reason", "not-found"]).contains("999999999"));
    let id = |what: &str| {
        format!("select id from dead_letter where convert_from(payload, 'UTF8') = '{what}'")
    };
    let (text, hello) = (
        world.one(&id(r#"{"tmdb_id": "603"}"#)).await.to_string(),
        world.one(&id("hello")).await.to_string(),
    );
    assert!(world.verb(&["dead", "show", &text]).contains("invalid type: string"));
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
    world
        .until(
            "select count(*) from works where tmdb_id = '603' and ingestion_status = 'complete'",
            1,
        )
        .await;
    assert!(world.verb_fails(&["dead", "replay", &text]).contains("--again"));
    // What is sent again as it was dies again, as a letter of its own.
    world.verb(&["dead", "replay", "--reason", "not-found"]);
    world.until("select count(*) from dead_letter where reason = 'not-found'", 2).await;
    assert!(world.verb(&["dead", "drop", "--all"]).contains("4 dead letters dropped"));
    assert!(world.verb(&["dead", "list"]).contains("no dead letters"));
}
