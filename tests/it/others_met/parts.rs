//! What an answer lacks is asked for again; a text that is empty falls back and erases none.

use serde_json::json;

use super::{no_message_paid, world, world_with};

/// Shown, counted, asked for again within hours, and whole then.
#[tokio::test(flavor = "multi_thread")]
async fn T5_a_part_that_is_missing_is_asked_for_again() {
    let (sim, world) = world("t5").await;
    sim.control().edit(603, json!({"credits": null, "keywords": null}));
    world.ingest(603).await;
    world.complete(603).await;
    let shown = world.verb(&["movie", "show", "603"]);
    assert!(shown.contains(" min: TMDB's answer lacked credits, keywords"), "{shown}");
    let look = async || world.verb(&["status"]);
    let counts = |text: &String| text.contains("1 title; asked for again within hours");
    tests::eventually("status counts it", look, counts).await;
    assert_eq!(world.details().with_keywords_cast_and_poster().await, 0);
    let person = json!({"id": 1, "name": "A", "order": 0, "job": "Director", "credit_id": "c1"});
    sim.control().edit(603, json!({"credits": {"cast": [&person], "crew": [&person]}}));
    sim.control().edit(603, json!({"keywords": {"keywords": [{"id": 1, "name": "k"}]}}));
    world.hours_of_incomplete_titles_pass().await;
    world.verb(&["jobs", "run", "refresh_worker", "--follow"]);
    world.details().with_keywords_cast_and_poster().becomes(1).await;
    let look = async || world.verb(&["movie", "show", "603"]);
    tests::eventually("it is whole", look, |text: &String| !text.contains("lacked")).await;
    no_message_paid(&world).await;
}

/// A text in the language of the catalogue is missing: English is shown. It goes away: it stays.
#[tokio::test(flavor = "multi_thread")]
async fn T9_texts_fall_back_and_are_not_erased() {
    let (sim, world) = world_with("t9", &[("TMDB_LANGUAGE", "de-DE")]).await;
    let translations = json!({"translations": [
        {"iso_639_1": "en", "iso_3166_1": "US", "data": {"overview": "In English"}},
    ]});
    sim.control().edit(603, json!({"overview": "", "translations": translations}));
    sim.control().edit(550, json!({"overview": "Auf Deutsch"}));
    for id in [603, 550] {
        world.ingest(id).await;
        world.complete(id).await;
    }
    world.details().overview("In English").becomes(1).await;
    sim.control().edit(550, json!({"overview": ""}));
    world.stale(550).await;
    world.events("movies.refreshed.550").becomes(2).await;
    assert_eq!(world.details().overview("Auf Deutsch").await, 1, "it is not erased");
    no_message_paid(&world).await;
}
