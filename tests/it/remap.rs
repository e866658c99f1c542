//! `mangoes remap`: stored answers are mapped again without a call to TMDB.

use serde_json::{Value, json};
use tests::{HostedApp, World, simulator};

/// Movies of the simulator, without and with certificates of Germany.
const MOVIES: u32 = 20;
/// Another region than the services have.
const GERMANY: [(&str, &str); 2] = [("TMDB_REGION", "DE"), ("TMDB_STREAMING_REGIONS", "DE")];
/// More than one page of a remap.
const MORE_THAN_A_PAGE: u32 = 120;

/// A catalogue of so many movies, all told of.
async fn catalogue(name: &str, movies: u32) -> World {
    let world = World::start(name).await;
    world.ingest_list("popular", movies).await;
    world.movies().complete().becomes(movies.into()).await;
    world.list_runs().ingested(movies.into()).becomes(1).await;
    world.all_published().await;
    world
}

/// What a remap with these settings says.
fn remap(world: &World, args: &[&str], env: &[(&str, &str)]) -> Value {
    let args = [&["remap", "--json"], args].concat();
    let said = world.try_verb_with(&args, env);
    assert!(said.errors.is_empty() && said.succeeded(), "{}", said.text);
    counts(&said.text)
}

/// The object, without how long it took.
fn counts(text: &str) -> Value {
    let mut said: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let seconds = said.as_object_mut().unwrap().remove("duration_secs").unwrap();
    assert!(seconds.as_f64().unwrap() > 0.0);
    said
}

/// A new region changes certificates and offers; every movie that changed has a revision, an entry
/// in its timeline and its events, and nothing says that it was read again.
#[tokio::test]
async fn a_new_region_changes_what_a_person_sees() {
    let world = catalogue("remap-region", MOVIES).await;
    world.let_votes_grow().await;
    let (rows, calls) = (world.mapped_rows().await, world.calls().await);
    let unchanged = json!({"checked": MOVIES, "written": 0, "unchanged": MOVIES, "failed": 0});
    assert_eq!(remap(&world, &["--all"], &[]), unchanged);
    assert_eq!(world.mapped_rows().await, rows, "what says the same is not written");
    assert_eq!(remap(&world, &[], &[])["checked"], 0, "this version mapped them all");
    let (certificates, times) = (world.certificates().await, world.times_of_reading().await);
    let said = remap(&world, &["--all"], &GERMANY);
    let written = said["written"].as_i64().unwrap();
    assert!(written > i64::from(MOVIES / 2), "{said}");
    assert_ne!(world.certificates().await, certificates);
    assert_eq!(world.times_of_reading().await, times, "nothing was read");
    assert_eq!(world.calls().await, calls, "TMDB was not asked");
    world.events("movies.changed.*").saying("change", "updated").published().becomes(written).await;
    let refreshed = written + i64::from(MOVIES);
    world.events("movies.refreshed.*").published().becomes(refreshed).await;
    assert_eq!(world.remapped_in_timelines().await, written);
    let rows = world.mapped_rows().await;
    assert_eq!(remap(&world, &["--all"], &GERMANY), unchanged, "the second time");
    assert_eq!(world.mapped_rows().await, rows);
}

/// The events of a remap say what changed, under the public names of fields.
#[tokio::test]
async fn its_events_say_what_changed() {
    let sim = simulator().await;
    let of = |region: &str, certificate: &str| {
        let release = json!({"type": 3, "certification": certificate});
        json!({"iso_3166_1": region, "release_dates": [release]})
    };
    let edit = json!({"release_dates": {"results": [of("US", "R"), of("DE", "16")]}});
    sim.control().edit(603, edit);
    let world = World::start_against("remap-diff", &sim, &[]).await;
    world.ingest(603).await;
    world.complete(603).await;
    assert_eq!(world.certificates().await, [json!(["603", "R"])]);
    remap(&world, &["--movie", "603"], &GERMANY);
    assert_eq!(world.certificates().await, [json!(["603", "16"])]);
    let event = world.newest_event("movies.changed.603").await;
    assert_eq!((&event["cause"], &event["change"]), (&json!("remap"), &json!("updated")));
    assert_eq!(event["revision"], 2);
    assert_eq!(event["diff"]["certification"], json!({"old": "R", "new": "16"}));
    let refreshed = world.newest_event("movies.refreshed.603").await;
    let fields = event["diff"].as_object().unwrap().keys().map(String::as_str);
    let changed = refreshed["changed"].as_array().unwrap().iter().map(|f| f.as_str().unwrap());
    assert!(fields.eq(changed), "{refreshed}");
    let history = world.verb(&["movie", "history", "603"]);
    assert!(history.contains("remap"), "{history}");
}

/// Without arguments it maps what another version mapped, and each only once.
#[tokio::test]
async fn after_an_update_it_maps_what_another_version_mapped() {
    let world = catalogue("remap-version", MOVIES).await;
    let ids = world.ids_in_order().await;
    world.map_with_another_version(&ids[3..7]).await;
    let said = remap(&world, &[], &[]);
    assert_eq!(said, json!({"checked": 4, "written": 0, "unchanged": 4, "failed": 0}));
    assert_eq!(world.mapped_with_another_version().await, 0);
    assert_eq!(remap(&world, &[], &[])["checked"], 0);
}

/// An answer that cannot be read is named and left alone, and so is a movie that has none.
#[tokio::test]
async fn what_cannot_be_read_stops_no_other() {
    let world = catalogue("remap-broken", MOVIES).await;
    let broken = world.ids_in_order().await[5];
    world.destroy_document(broken).await;
    let said = world.try_verb_with(&["remap", "--all", "--json"], &GERMANY);
    assert_eq!(said.code, Some(1), "{}", said.text);
    assert!(said.errors.contains(&format!("movie {broken} was left as it is")), "{}", said.errors);
    let counts = counts(said.text.strip_suffix(&said.errors).unwrap());
    assert_eq!((&counts["checked"], &counts["failed"]), (&json!(MOVIES), &json!(1)));
    let said = world.verb_fails(&["remap", "--movie", "999999999"]);
    assert!(said.contains("999999999") && said.contains("mangoes ingest --movie"), "{said}");
}

/// kill -9 in the middle: the pages before it stay done, and the next remap goes on behind them.
/// While one works, another says so.
#[tokio::test]
async fn a_killed_remap_goes_on_where_it_was() {
    let world = catalogue("remap-killed", MORE_THAN_A_PAGE).await;
    let last = *world.ids_in_order().await.last().unwrap();
    let held = world.hold_title(last).await;
    let mut killed = world.service(&["remap", "--all"], &GERMANY);
    world.remapped_so_far().becomes(100).await;
    let said = world.try_verb_with(&["remap", "--all"], &GERMANY);
    assert!(!said.succeeded() && said.text.contains("another `mangoes remap`"), "{}", said.text);
    killed.kill();
    held.release().await;
    let done = world.remapped_in_timelines().await;
    assert!(done > 50, "{done} of the first page");
    // The server has to notice that the killed one is gone.
    let free = async || world.try_verb_with(&["remap", "--all"], &GERMANY);
    let said = world.eventually("the lock is free", free, tests::Said::succeeded).await;
    assert!(said.text.contains("this one goes on"), "{}", said.text);
    assert!(said.text.contains("20 stored answers mapped again"), "{}", said.text);
    let again = remap(&world, &["--all"], &GERMANY);
    assert_eq!(again["unchanged"], MORE_THAN_A_PAGE);
    world.all_published().await;
    let changed = world.remapped_in_timelines().await;
    assert!(changed > done);
    let updated = world.events("movies.changed.*").saying("change", "updated").await;
    assert_eq!(updated, changed, "once each");
}

/// What only the app makes, and what TMDB's answer lacks, survives in table and card.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_app_makes_survives() {
    let app = HostedApp::production("remap-app").await;
    let sim = simulator().await;
    sim.control().edit(603, json!({"keywords": null, "credits": null}));
    let world = World::start_on(&app, &sim).await;
    world.verb(&["refresh", "--movie", "603", "--follow"]);
    let (details, card) = (app.details_row(603).await.unwrap(), app.card(603).await.unwrap());
    let said = remap(&world, &["--movie", "603"], &[]);
    assert_eq!(said["unchanged"], 1, "{said}");
    let said = remap(&world, &["--movie", "603"], &GERMANY);
    assert_eq!(said["written"], 1, "{said}");
    let (new, new_card) = (app.details_row(603).await.unwrap(), app.card(603).await.unwrap());
    assert_ne!(new["streaming"], details["streaming"]);
    for (name, value) in details.as_object().unwrap() {
        let mapped = ["streaming", "certification", "updated_at"].contains(&name.as_str());
        assert!(mapped || new[name] == *value, "{name}: {value} is {}", new[name]);
    }
    for (name, value) in card.payload.as_object().unwrap() {
        let mapped = ["streaming", "certification", "last_updated"].contains(&name.as_str());
        assert!(mapped || new_card.payload[name] == *value, "{name}: {value}");
    }
}

/// It works straight on the database, and says so where only NATS is known.
#[tokio::test]
async fn it_asks_for_the_database() {
    let folder = tests::Folder::new("remap-nats");
    let mut command = tests::mangoes(&folder.0);
    let said = tests::Said::by(command.arg("remap").env("NATS_URL", "nats://127.0.0.1:9"));
    assert!(!said.succeeded() && said.text.contains("DATABASE_URL"), "{}", said.text);
}
