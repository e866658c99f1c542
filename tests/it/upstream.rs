//! TMDB in bad and in good days: outage, refusals, a wrong credential, nothing new. The simulator
//! runs in the test's own runtime, which therefore has more than one thread: a verb blocks one of
//! them.

use std::time::Duration;

use serde_json::json;
use tests::{World, simulator};
use tmdb_sim::{Faults, Sim};

/// How many calls TMDB answered with this status.
fn answered(sim: &Sim, status: u16) -> u64 {
    sim.control().stats().by_status.get(&status).copied().unwrap_or(0)
}

/// While TMDB is down little is asked, no attempt is used up, nothing ends as a dead letter;
/// afterwards the backlog drains at the rate.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_costs_nothing_but_time() {
    let sim = simulator().await;
    let world = World::start_against("outage", &sim, &[("TMDB_RATE", "40")]).await;
    sim.control().outage(Duration::from_secs(12));
    world.ingest_list("popular", 60).await;
    for id in [603, 550, 13] {
        world.ingest(id).await;
    }
    world.list_runs().ingested_or_skipped_at_least(60).becomes(1).await;
    world.all_complete(&[603, 550, 13]).await;
    assert_eq!(world.dead_letters().await, 0);
    assert_eq!(world.calls().that_are_retries().await, 0);
    let failed = answered(&sim, 0);
    assert!((1..40).contains(&failed), "{failed} calls were made in vain");
    let peak = sim.control().stats().peak_per_second;
    assert!(peak <= 50, "the backlog came as a burst: {peak}");
}

/// A storm of 429 without Retry-After pauses everybody and loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_429_fails_no_movie() {
    let sim = simulator().await;
    let world = World::start_against("storm", &sim, &[("TMDB_RATE", "40")]).await;
    sim.control().fail(Faults { http_429: 1.0, ..Faults::default() });
    for id in 603..=642 {
        world.ingest(id).await;
    }
    world.budget().refused_at_least(3).becomes(1).await;
    assert_eq!(world.budget().lower_than(40).await, 1, "the rate is lowered");
    let refused = answered(&sim, 429);
    assert!(refused <= 40, "{refused} calls into the storm");
    sim.control().fail(Faults::default());
    world.movies_stored_or_not_found().becomes(40).await;
    assert_eq!(world.dead_letters().not_because("not-found").await, 0);
    assert_eq!(world.calls().that_are_retries().await, 0);
}

/// A request that TMDB fails on while it answers others is that movie's own trouble: it ends, and
/// does not wait for ever.
#[tokio::test(flavor = "multi_thread")]
async fn one_bad_movie_is_told_from_an_outage() {
    let sim = simulator().await;
    let world = World::start_against("bad-movie", &sim, &[("TMDB_RATE", "0")]).await;
    sim.control().edit(603, json!({"id": 604}));
    world.ingest(603).await;
    world.ingest(550).await;
    world.complete(550).await;
    world.dead_letters().because("retries-exhausted").after_attempts(4).becomes(1).await;
    assert_eq!(world.movie(604).await, 0, "no movie gets another's data");
}

/// A credential that TMDB refuses while work goes on: one alarm, a handful of calls, and everybody
/// can see why nothing moves.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_stops_everything() {
    let sim = simulator().await;
    let world = World::start_against("credential", &sim, &[("TMDB_RATE", "40")]).await;
    world.ingest(603).await;
    world.movies().complete().becomes(1).await;
    sim.control().set_credential(Some("another".to_owned()));
    for id in 1001..=1100 {
        world.ingest(id).await;
    }
    world.budget().credential_refused().becomes(1).await;
    world.calls().answered(401).reaches(1).await;
    assert!(world.verb(&["status"]).contains("TMDB refuses the credential"));
    let refused = answered(&sim, 401);
    assert!(refused <= 20, "{refused} calls with a bad key");
    assert_eq!(world.log().matches("ALARM").count(), 1);
    assert!(!world.log().contains("sesame"));
    assert_eq!(world.dead_letters().await, 0);
}

/// What has not changed rewrites no big row and says so.
#[tokio::test(flavor = "multi_thread")]
async fn unchanged_movies_rewrite_nothing() {
    let sim = simulator().await;
    let world = World::start_against("unchanged", &sim, &[("TMDB_RATE", "0")]).await;
    world.verb(&["ingest", "--list", "popular", "--max", "1000", "--follow"]);
    assert_eq!(world.movies().complete().await, 1_000);
    world.remember_details().await;
    world.age_all(200).await;
    let limit = r#"{"limit": 1000}"#;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--payload", limit, "--follow"]);
    assert_eq!(world.details_rewritten().await, 0);
    let unchanged = world.events("movies.refreshed.*").saying("outcome", "unchanged");
    assert_eq!(unchanged.await, 1_000);
    assert_eq!(world.events("movies.changed.*").saying("change", "updated").await, 0);
}

/// A movie that TMDB merged into another: remembered at the first 404, a tombstone after a day, and
/// the survivor comes in.
#[tokio::test(flavor = "multi_thread")]
async fn a_merged_movie_leaves_a_tombstone_and_brings_its_survivor() {
    let sim = simulator().await;
    let world = World::start_against("merged", &sim, &[("TMDB_RATE", "0")]).await;
    world.ingest(603).await;
    world.movies().complete().becomes(1).await;
    sim.control().merge(603, 550);
    world.stale(603).await;
    world.movies().missing().not_removed().becomes(1).await;
    let removed = || world.events("movies.changed.603").saying("change", "removed");
    assert_eq!(removed().await, 0, "one 404 is no proof");
    world.missing_since_hours_earlier(25).await;
    // An ingest of it asks TMDB as well, and is no dead letter: the catalogue holds the movie.
    world.ingest_forced(603).await;
    world.movie(603).removed().becomes(1).await;
    assert_eq!(removed().saying("survivor", "550").saying("revision", "2").await, 1);
    let refreshed = world.newest_event("movies.refreshed.603").await;
    assert_eq!((&refreshed["outcome"], &refreshed["revision"]), (&json!("removed"), &json!(2)));
    world.complete(550).await;
    assert_eq!(world.dead_letters().await, 0);
    sim.control().restore(603);
    world.ingest(603).await;
    world.movie(603).not_removed().not_missing().becomes(1).await;
    let restored = world.newest_event("movies.changed.603").await;
    assert_eq!((&restored["change"], &restored["revision"]), (&json!("restored"), &json!(3)));
    assert_eq!((&restored["card"]["tmdb_id"], &restored["diff"]), (&json!(603), &json!({})));
}

/// Whatever TMDB writes into a field, the database takes the movie: odd values become null, texts
/// stay whole.
#[tokio::test(flavor = "multi_thread")]
async fn odd_values_are_stored_or_null() {
    let sim = simulator().await;
    let world = World::start_against("odd", &sim, &[("TMDB_RATE", "0")]).await;
    let patches = [
        (603, json!({"title": "a\u{0}b", "overview": "\u{0}"})),
        (
            550,
            json!({
                "runtime": 9_000_000_000_i64,
                "budget": i64::MAX,
                "revenue": -1,
                "vote_count": i64::MAX,
            }),
        ),
        (
            13,
            json!({
                "runtime": 1.5,
                "popularity": "1e999",
                "vote_average": 1e308,
                "release_date": "2024-02-30",
            }),
        ),
        (680, json!({"release_date": "9999-12-31", "imdb_id": "tt1234567"})),
        (155, json!({"imdb_id": "tt1234567", "title": "\u{202e}ü".repeat(5_000)})),
        (
            27205,
            json!({
                "genres": [null, 1, {"name": "\u{0}"}],
                "credits": {"cast": [1, {"credit_id": "c"}, {"credit_id": "c"}], "crew": null},
            }),
        ),
        (
            120,
            json!({
                "production_companies": {"a": 1},
                "videos": [],
                "keywords": 7,
                "belongs_to_collection": [],
                "images": {"posters": 1},
            }),
        ),
        (
            238,
            json!({
                "status": "Some word of the future",
                "original_language": "xx",
                "homepage": "\r\n",
                "tagline": " ",
            }),
        ),
    ];
    for (id, patch) in patches {
        sim.control().edit(id, patch);
        world.ingest(id.cast_signed()).await;
    }
    world.movies_stored_or_dead().becomes(8).await;
    assert_eq!(world.errors_of_dead_letters().await, "none");
    assert_eq!(world.title(603).await, "ab");
    assert_eq!(
        world.claims_of_imdb_id(&[680, 155], "tt1234567").await,
        2,
        "one holds the imdb_id, the other's claim is written down"
    );
    assert_eq!(world.details().shorter_than_a_minute().await, 0);
}
