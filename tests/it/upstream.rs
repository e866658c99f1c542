//! TMDB in bad and in good days: outage, refusals, a wrong credential, nothing new. The simulator
//! runs in the test's own runtime, which therefore has more than one thread: a verb blocks one of
//! them.

use std::time::Duration;

use serde_json::json;
use tmdb_sim::{Faults, Options, Sim};

use crate::world::World;

const COMPLETE: &str = "select count(*) from works where ingestion_status = 'complete'";
const NO_TRY_BURNT: &str = "select count(*) from tmdb_api_logs where retry_count > 0";
const DEAD: &str = "select count(*) from dead_letter";

async fn sim() -> Sim {
    Sim::start(Options { credential: Some("sesame".to_owned()), ..Options::default() })
        .await
        .unwrap()
}

/// While TMDB is down little is asked, no try is burnt, nothing ends as a dead letter; afterwards
/// the backlog drains at the rate.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_costs_nothing_but_time() {
    let sim = sim().await;
    let world = World::start_against("outage", &sim, &[("TMDB_RATE", "40")]).await;
    sim.control().outage(Duration::from_secs(12));
    world.publish("movies.ingest.list", br#"{"source": "popular", "max_movies": 60}"#).await;
    for id in [603, 550, 13] {
        world.publish("movies.ingest.movie", format!(r#"{{"tmdb_id": {id}}}"#).as_bytes()).await;
    }
    world.until("select count(*) from scheduled_ingestion_log where movies_ingested + movies_skipped >= 60", 1).await;
    world.until("select count(*) from works where tmdb_id in ('603', '550', '13') and ingestion_status = 'complete'", 3).await;
    assert_eq!((world.one(DEAD).await, world.one(NO_TRY_BURNT).await), (0, 0));
    let stats = sim.control().stats();
    let failed = stats.by_status.get(&0).copied().unwrap_or(0);
    assert!((1..40).contains(&failed), "{failed} calls were made in vain");
    assert!(stats.peak_per_second <= 50, "the backlog came as a burst: {}", stats.peak_per_second);
}

/// A storm of 429 without Retry-After pauses everybody and loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_429_fails_no_movie() {
    let sim = sim().await;
    let world = World::start_against("storm", &sim, &[("TMDB_RATE", "40")]).await;
    sim.control().fail(Faults { http_429: 1.0, ..Faults::default() });
    for id in 1..=40 {
        world
            .publish("movies.ingest.movie", format!(r#"{{"tmdb_id": {}}}"#, 602 + id).as_bytes())
            .await;
    }
    world.until("select count(*) from tmdb_budget where refusals >= 3", 1).await;
    assert_eq!(
        world.one("select count(*) from tmdb_budget where rate_now < 40").await,
        1,
        "the rate is lowered"
    );
    let refused = sim.control().stats().by_status.get(&429).copied().unwrap_or(0);
    assert!(refused <= 40, "{refused} calls into the storm");
    sim.control().fail(Faults::default());
    let ended = "select (select count(*) from works where ingestion_status = 'complete') + (select count(*) from dead_letter where reason = 'not-found')";
    world.until(ended, 40).await;
    assert_eq!(world.one("select count(*) from dead_letter where reason <> 'not-found'").await, 0);
    assert_eq!(world.one(NO_TRY_BURNT).await, 0);
}

/// A request that TMDB fails on while it answers others is that movie's own trouble: it ends, and
/// does not wait for ever.
#[tokio::test(flavor = "multi_thread")]
async fn one_bad_movie_is_told_from_an_outage() {
    let sim = sim().await;
    let world = World::start_against("bad-movie", &sim, &[("TMDB_RATE", "0")]).await;
    sim.control().edit(603, json!({"id": 604}));
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 550}"#).await;
    world
        .until(
            "select count(*) from works where tmdb_id = '550' and ingestion_status = 'complete'",
            1,
        )
        .await;
    world
        .until(
            "select count(*) from dead_letter where reason = 'retries-exhausted' and tries = 4",
            1,
        )
        .await;
    assert_eq!(
        world.one("select count(*) from works where tmdb_id = '604'").await,
        0,
        "no movie gets another's data"
    );
}

/// A credential that TMDB refuses while work goes on: one alarm, a handful of calls, and everybody
/// can see why nothing moves.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_stops_everything() {
    let sim = sim().await;
    let world = World::start_against("credential", &sim, &[("TMDB_RATE", "40")]).await;
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    world.until(COMPLETE, 1).await;
    sim.control().set_credential(Some("another".to_owned()));
    for id in 1..=100 {
        world
            .publish("movies.ingest.movie", format!(r#"{{"tmdb_id": {}}}"#, 1_000 + id).as_bytes())
            .await;
    }
    world
        .until("select count(*) from tmdb_budget where credential_refused_at is not null", 1)
        .await;
    world.until("select least(count(*), 1) from tmdb_api_logs where http_status = 401", 1).await;
    assert!(world.verb(&["status"]).contains("TMDB refuses the credential"));
    let refused = sim.control().stats().by_status.get(&401).copied().unwrap_or(0);
    assert!(refused <= 20, "{refused} calls with a bad key");
    assert_eq!(world.log().matches("ALARM").count(), 1);
    assert!(!world.log().contains("sesame"));
    assert_eq!(world.one(DEAD).await, 0);
}

/// What has not changed rewrites no big row and says so.
#[tokio::test(flavor = "multi_thread")]
async fn unchanged_movies_rewrite_nothing() {
    let sim = sim().await;
    let world = World::start_against("unchanged", &sim, &[("TMDB_RATE", "0")]).await;
    world.verb(&["ingest", "--list", "popular", "--max", "1000", "--follow"]);
    assert_eq!(world.one(COMPLETE).await, 1_000);
    world
        .execute("create table before as select work_id, xmin::text as version from works_meta")
        .await;
    let past = "now() - interval '200 days'";
    world
        .execute(&format!("update works set last_refreshed_at = {past}, fetched_at = {past}"))
        .await;
    world.verb(&[
        "jobs",
        "run",
        "daily_refresh_enqueue",
        "--payload",
        r#"{"limit": 1000}"#,
        "--follow",
    ]);
    let rewritten = "select count(*) from works_meta m join before b using (work_id) where m.xmin::text <> b.version";
    assert_eq!(world.one(rewritten).await, 0);
    let unchanged = "select count(*) from outbox where subject like 'movies.refreshed.%' and payload ->> 'outcome' = 'unchanged'";
    assert_eq!(world.one(unchanged).await, 1_000);
    assert_eq!(
        world.one("select count(*) from outbox where subject like 'movies.changed.%'").await,
        0
    );
}

/// A movie that TMDB merged into another: remembered at the first 404, a tombstone after a day, and
/// the survivor comes in.
#[tokio::test(flavor = "multi_thread")]
async fn a_merged_movie_leaves_a_tombstone_and_brings_its_survivor() {
    let sim = sim().await;
    let world = World::start_against("merged", &sim, &[("TMDB_RATE", "0")]).await;
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    world.until(COMPLETE, 1).await;
    sim.control().merge(603, 550);
    world.publish("movies.stale.now", br#"{"tmdb_id": 603}"#).await;
    world
        .until(
            "select count(*) from works where missing_since is not null and removed_at is null",
            1,
        )
        .await;
    assert_eq!(
        world.one("select count(*) from outbox where subject like 'movies.removed.%'").await,
        0,
        "one 404 is no proof"
    );
    world.execute("update works set missing_since = missing_since - interval '25 hours'").await;
    // An ingest of it asks TMDB as well, and is no dead letter: the catalogue holds the movie.
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 603, "force": true}"#).await;
    world
        .until("select count(*) from works where tmdb_id = '603' and removed_at is not null", 1)
        .await;
    let told = "select count(*) from outbox where subject = 'movies.removed.603' and (payload ->> 'survivor')::int = 550";
    assert_eq!(world.one(told).await, 1);
    world
        .until(
            "select count(*) from works where tmdb_id = '550' and ingestion_status = 'complete'",
            1,
        )
        .await;
    assert_eq!(world.one(DEAD).await, 0);
    sim.control().restore(603);
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    world.until("select count(*) from works where tmdb_id = '603' and removed_at is null and missing_since is null", 1).await;
}

/// Whatever TMDB writes into a field, the database takes the movie: odd values become null, texts
/// stay whole.
#[tokio::test(flavor = "multi_thread")]
async fn odd_values_are_stored_or_null() {
    let sim = sim().await;
    let world = World::start_against("odd", &sim, &[("TMDB_RATE", "0")]).await;
    let patches = [
        json!({"title": "a\u{0}b", "overview": "\u{0}"}),
        json!({"runtime": 9_000_000_000_i64, "budget": i64::MAX, "revenue": -1, "vote_count": i64::MAX}),
        json!({"runtime": 1.5, "popularity": "1e999", "vote_average": 1e308, "release_date": "2024-02-30"}),
        json!({"release_date": "9999-12-31", "imdb_id": "tt1234567"}),
        json!({"imdb_id": "tt1234567", "title": "\u{202e}ü".repeat(5_000)}),
        json!({"genres": [null, 1, {"name": "\u{0}"}], "credits": {"cast": [1, {"credit_id": "c"}, {"credit_id": "c"}], "crew": null}}),
        json!({"production_companies": {"a": 1}, "videos": [], "keywords": 7, "belongs_to_collection": [], "images": {"posters": 1}}),
        json!({"status": "Some word of the future", "original_language": "xx", "homepage": "\r\n", "tagline": " "}),
    ];
    let ids: Vec<u64> = [603, 550, 13, 680, 155, 27205, 120, 238].into();
    for (id, patch) in ids.iter().zip(patches) {
        sim.control().edit(*id, patch);
        world.publish("movies.ingest.movie", format!(r#"{{"tmdb_id": {id}}}"#).as_bytes()).await;
    }
    world.until("select count(*) + (select count(*) from dead_letter) from works where ingestion_status = 'complete'", 8).await;
    assert_eq!(
        world.text("select coalesce(string_agg(error, '; '), 'none') from dead_letter").await,
        "none"
    );
    assert_eq!(world.text("select title from works where tmdb_id = '603'").await, "ab");
    let clash = "select count(*) from works where tmdb_id in ('680', '155') and (imdb_id = 'tt1234567' or imdb_id_clash = 'tt1234567')";
    assert_eq!(
        world.one(clash).await,
        2,
        "one holds the imdb_id, the other's claim is written down"
    );
    assert_eq!(world.one("select count(*) from works_meta where runtime_minutes is not null and runtime_minutes < 1").await, 0);
}
