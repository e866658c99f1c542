//! One due time out of four causes: the age of a movie, TMDB's change feed, demand, and pins.

use serde_json::{Value, json};
use tests::{World, simulator};
use tmdb_sim::Sim;

const FEED: &str = "changes_feed";
const DAY_SECS: i64 = 86_400;

async fn shown(world: &World, id: i64) -> Value {
    world.request("movie.show", &json!({"tmdb_id": id})).await.unwrap()
}

async fn with_movies(name: &str, ids: &[i64]) -> (Sim, World) {
    let sim = simulator().await;
    let world = World::start_against(name, &sim, &[]).await;
    for id in ids {
        world.ingest(*id).await;
        world.complete(*id).await;
    }
    (sim, world)
}

/// What a run of the feed counted.
async fn feed(world: &World) -> Value {
    let said = world.verb(&["jobs", "run", FEED, "--follow", "--json"]);
    serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// A movie grows older, and from then on it may be as old as its new band allows.
#[tokio::test]
async fn a_movie_moves_on_to_the_band_of_its_age() {
    let world = World::start("bands").await;
    world.ingest(603).await;
    world.complete(603).await;
    world.is_released_days_ago(603, 25).await;
    let recent = shown(&world, 603).await;
    assert_eq!(
        (&recent["band"], &recent["interval_secs"]),
        (&json!("recent"), &json!(2 * DAY_SECS))
    );
    world.days_pass(6).await;
    world.movies().in_band("half_year").becomes(1).await;
    let older = shown(&world, 603).await;
    assert_eq!(older["interval_secs"], 7 * DAY_SECS, "{older}");
    assert_eq!(older["is_stale"], false, "six days old, and it may be seven: {older}");
}

/// A person wants it more often; the audit says who, and until when.
#[tokio::test]
async fn a_pin_makes_a_movie_due_earlier() {
    let world = World::start("pins").await;
    world.ingest(603).await;
    world.complete(603).await;
    let said = world.verb(&["movie", "pin", "603", "--every", "12h", "--until", "30d"]);
    assert!(said.contains("at least every 12h until 20"), "{said}");
    let pinned = shown(&world, 603).await;
    assert_eq!(
        (&pinned["due_cause"], &pinned["pin_every_secs"]),
        (&json!("pin"), &json!(DAY_SECS / 2))
    );
    assert!(world.verb(&["movie", "show", "603"]).contains("pinned to every 12 hours by"));
    world.age_movie(603, 1).await;
    world.verb(&["jobs", "run", "refresh_worker", "--follow"]);
    world.events("movies.refreshed.603").becomes(2).await;
    assert_eq!(world.audit().about("-").await, 1);
    world.verb(&["movie", "unpin", "603"]);
    assert_eq!(shown(&world, 603).await["due_cause"], "policy");
    for (args, why) in [
        (["603", "--every", "10m"], "1h to 180d"),
        (["603", "--every", "soon"], "is not a span"),
        (["77777777", "--every", "1d"], "has no movie 77777777"),
    ] {
        let told = world.verb_fails(&[&["movie", "pin"][..], &args].concat());
        assert!(told.contains(why), "{args:?}: {told}");
    }
    // A pin that has ended is forgotten.
    world.verb(&["movie", "pin", "603", "--every", "12h", "--until", "1h"]);
    world.pins_end().await;
    world.movies().pinned().becomes(0).await;
    assert_eq!(shown(&world, 603).await["due_cause"], "policy");
}

/// A list that names a movie puts it in demand for a while.
#[tokio::test]
async fn a_list_that_names_a_movie_makes_it_due_earlier() {
    let world = World::start("demand").await;
    let list = ["ingest", "--list", "now_playing", "--max", "3", "--follow"];
    world.verb(&list);
    assert_eq!(world.movies().in_band("in_demand").await, 0, "they were new");
    world.verb(&list);
    let named = world.movies().in_band("in_demand").await;
    assert!(named >= 3, "{named}");
    assert_eq!(world.movies().in_band("in_demand").stale().await, 0);
    world.age_all(1).await;
    assert_eq!(world.movies().in_band("in_demand").stale().await, named);
    world.demand_ends().await;
    world.movies().in_band("in_demand").becomes(0).await;
}

/// An edit at TMDB is in the catalogue after the feed named it; what the feed named is acted on
/// once a day, and a movie that the catalogue does not have is counted.
#[tokio::test(flavor = "multi_thread")]
async fn the_feed_brings_an_edit() {
    let (sim, world) = with_movies("feed", &[603, 550]).await;
    sim.control().edit(603, json!({"title": "The Matrix, edited"}));
    sim.control().edit(13, json!({"title": "Not in the catalogue"}));
    let run = feed(&world).await;
    assert_eq!((&run["checked"], &run["done"], &run["skipped"]), (&json!(2), &json!(1), &json!(1)));
    world.events("movies.changed.603").saying("change", "updated").becomes(1).await;
    let history = world.request("movie.history", &json!({"tmdb_id": 603})).await.unwrap();
    assert_eq!(history["events"][0]["cause"], "feed", "{history}");
    world.told().becomes(0).await;
    let again = feed(&world).await;
    assert_eq!(again["checked"], 0, "{again}");
    assert_eq!(world.events("movies.refreshed.550").await, 1, "it was not named");
    let dry = world.verb(&["jobs", "run", FEED, "--dry-run"]);
    assert!(dry.contains("change feed") && dry.contains("TMDB calls  about "), "{dry}");
}

/// TMDB's caches are hours behind its feed: a look that finds nothing new is repeated twice, and
/// no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_meets_a_cache_is_repeated() {
    let (sim, world) = with_movies("second-look", &[603, 550]).await;
    // Nothing that a person sees: three looks in all.
    sim.control().edit(550, json!({"popularity": 1.5}));
    feed(&world).await;
    world.events("movies.refreshed.550").becomes(2).await;
    for looks in [3, 4] {
        world.hours_pass_since_the_feed(8).await;
        world.verb(&["jobs", "run", "refresh_worker", "--follow"]);
        world.events("movies.refreshed.550").becomes(looks).await;
    }
    world.told().becomes(0).await;
    assert_eq!(shown(&world, 550).await["due_cause"], "policy");
    // Details stay as they are for ten hours.
    sim.control().configure(json!({"cache_secs": 36_000})).unwrap();
    sim.control().edit(603, json!({"title": "Behind a cache"}));
    feed(&world).await;
    world.events("movies.refreshed.603").becomes(2).await;
    world.told().becomes(1).await;
    let due = shown(&world, 603).await;
    assert_eq!(due["due_cause"], "feed", "{due}");
    let again = async |hours: u64, looks: i64| {
        sim.control().advance(std::time::Duration::from_secs(hours * 3_600));
        world.hours_pass_since_the_feed(hours).await;
        world.verb(&["jobs", "run", "refresh_worker", "--follow"]);
        world.events("movies.refreshed.603").becomes(looks).await;
    };
    again(8, 3).await;
    assert_eq!(world.events("movies.changed.603").saying("change", "updated").await, 0);
    again(8, 4).await;
    world.events("movies.changed.603").saying("change", "updated").becomes(1).await;
    world.told().becomes(0).await;
}

/// kill -9 when the movies are queued and the feed has not moved on: its days are read again, and
/// no movie is looked at again for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_the_feed_is_read_forgets_nothing_and_repeats_nothing() {
    let (sim, world) = with_movies("feed-crash", &[603]).await;
    sim.control().edit(603, json!({"title": "Edited before the crash"}));
    let held = world.somebody_else().await.hold_the_feed().await;
    world.verb(&["jobs", "run", FEED]);
    world.events("movies.changed.603").saying("change", "updated").becomes(1).await;
    world.connections_waiting_for_a_lock().reaches(1).await;
    assert_eq!(world.run(FEED).succeeded().await, 0, "it is held");
    let folder = world.kill().await;
    drop(held);
    let world = World::start_against_in(folder, &sim, &[]).await;
    world.run(FEED).succeeds().await;
    world.all_published().await;
    assert_eq!(world.events("movies.refreshed.603").await, 2, "one look when it came, one more");
    assert_eq!(feed(&world).await["checked"], 0, "the day has named it");
}

/// Days that nobody read are said, and the feed goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_the_feed_is_said() {
    let (sim, world) = with_movies("feed-gap", &[603]).await;
    world.feed_was_read_days_ago(20).await;
    sim.control().edit(603, json!({"title": "After the gap"}));
    feed(&world).await;
    world.events("movies.changed.603").saying("change", "updated").becomes(1).await;
    let status = world.verb(&["status"]);
    assert!(status.contains("7 days were never read"), "{status}");
}
