//! The app's database is adopted, and the app's readers do not notice: what they read keeps its
//! shape, its names and what only the app makes.
//!
//! A1: cards. A2: logs. A8: functions by parameter name. A9: an answer with empty parts. A11: names
//! of scores.

#![expect(non_snake_case, reason = "a test is found by the id of the rule that it holds")]

use serde_json::{Value, json};
use tests::{HostedApp, World, eventually, simulator};
use tmdb_sim::{Faults, Sim};

/// Movies of the fixture whose pictures stand in the app's own storage.
const KNOWN: [i64; 5] = [603, 550, 27_205, 155, 13];
/// The trailer that the fixture knows, and somebody of its cast.
const TRAILER: &str = "vKQi3bBA1y8";
const PERSON: i64 = 6_384;

/// Refreshes these movies and waits for the end.
pub(crate) fn refresh(world: &World, ids: &[i64]) {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let ids = ids.iter().map(String::as_str);
    let args: Vec<&str> =
        ["refresh", "--movie"].into_iter().chain(ids).chain(["--follow"]).collect();
    world.verb(&args);
}

/// TMDB shows the trailer and the first of the cast that the fixture has.
fn keep_trailer_and_cast(sim: &Sim, id: u64) {
    let video = json!({
        "id": "5c9", "key": TRAILER, "name": "Trailer", "type": "Trailer", "site": "YouTube",
        "official": true, "iso_639_1": "en", "iso_3166_1": "US", "size": 1080,
        "published_at": "2019-01-01T00:00:00.000Z"
    });
    let actor = json!({
        "id": PERSON, "name": "Actor 0", "character": "Role 0", "order": 0, "gender": 2,
        "profile_path": "/new.jpg", "known_for_department": "Acting", "credit_id": "52f",
        "cast_id": 1, "adult": false, "popularity": 1.0, "original_name": "Actor 0"
    });
    sim.control().edit(
        id,
        json!({"videos": {"results": [video]}, "credits": {"cast": [actor]}, "title": "Renamed"}),
    );
}

/// Keys of the old card that the new one lacks or has with another type.
fn lost_or_retyped(old: &Value, new: &Value) -> Vec<String> {
    let kind = |value: &Value| match value {
        Value::Null => "nothing",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let keys = old.as_object().unwrap().iter();
    let changed = keys.filter_map(|(key, before)| {
        let Some(after) = new.get(key) else { return Some(format!("{key} is gone")) };
        let kinds = (kind(before), kind(after));
        let is_kept = kinds.0 == kinds.1 || kinds.0 == "nothing" || kinds.1 == "nothing";
        (!is_kept).then(|| format!("{key} was {} and is {}", kinds.0, kinds.1))
    });
    changed.collect()
}

/// Where the app keeps a picture.
pub(crate) fn is_own(url: &Value) -> bool {
    url.as_str().is_some_and(|url| url.starts_with("https://xyz.example.co/storage/"))
}

/// After a refresh the card has every key that it had, with its type; what only the app makes is
/// kept in table and card, and what TMDB changed is there.
#[tokio::test(flavor = "multi_thread")]
async fn A1_a_refreshed_card_keeps_its_shape_and_what_only_the_app_makes() {
    let app = HostedApp::production("a1").await;
    let sim = simulator().await;
    keep_trailer_and_cast(&sim, 603);
    let old = app.card(603).await.unwrap();
    let world = World::start_on(&app, &sim).await;
    refresh(&world, &[603]);
    let new = app.card(603).await.unwrap();
    assert_eq!(lost_or_retyped(&old.payload, &new.payload), Vec::<String>::new());
    assert_ne!(old.etag, new.etag, "the app caches by it");
    assert_eq!(new.card.title, "Renamed");
    assert_eq!(new.card.tmdb_id, "603");
    assert_eq!(new.card.year, Some(1999));
    let details = app.details_row(603).await.unwrap();
    for key in ["poster_url_medium", "poster_url_large", "backdrop_url", "trailer_thumbnail"] {
        assert!(is_own(&details[key]), "{key}: {}", details[key]);
    }
    for at in [
        "/poster/medium",
        "/poster/large",
        "/backdrop",
        "/trailer_thumbnail",
        "/still_images/0",
        "/trailers/0/thumbnail_url",
        "/cast/0/photo_url_medium",
    ] {
        let kept = new.payload.pointer(at).unwrap_or(&Value::Null);
        assert!(is_own(kept), "{at}: {kept}");
        assert_eq!(Some(kept), old.payload.pointer(at), "{at}");
    }
    assert_eq!(details["still_images"], old.payload["still_images"]);
    for key in ["moods", "subgenres", "certification_reason", "awards", "aspect_ratio"] {
        assert!(!details[key].is_null(), "{key} is the app's own");
    }
}

/// One card that does not decode fails a whole watch list, and a search over all cards.
#[tokio::test(flavor = "multi_thread")]
async fn A1_a_watch_list_of_fifty_decodes_after_a_refresh() {
    let app = HostedApp::production("a1-list").await;
    let sim = simulator().await;
    app.add_odd_rows().await;
    let fifty: Vec<i64> = KNOWN.into_iter().chain(1_001..=1_054).collect();
    let before = app.watch_list(&fifty).await.unwrap();
    assert!(before.len() >= 50, "{} cards", before.len());
    let world = World::start_on(&app, &sim).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    let after = app.watch_list(&fifty).await.unwrap();
    assert_eq!(after.len(), before.len());
    // A card that was odd before its refresh is not odd any more.
    refresh(&world, &[1_066, 1_067]);
    assert_eq!(app.watch_list(&[1_066, 1_067]).await.unwrap().len(), 2);
    let director = after.iter().find(|card| card.tmdb_id == "603").unwrap();
    let director = director.director.clone().unwrap();
    assert_ne!(director, "A Director", "the card is new");
}

/// Values in each column's own type: production's log has JSON and uuids. What the dashboard shows
/// are titles with years, and titles with errors.
#[tokio::test(flavor = "multi_thread")]
async fn A2_a_run_is_logged_in_the_types_of_production() {
    let app = HostedApp::production("a2").await;
    runs_are_logged(&app).await;
}

/// As `A2_a_run_is_logged_in_the_types_of_production`, with arrays of text and serial numbers.
#[tokio::test(flavor = "multi_thread")]
async fn A2_a_run_is_logged_in_the_types_of_the_repository() {
    let app = HostedApp::repository("a2-repository").await;
    runs_are_logged(&app).await;
}

async fn runs_are_logged(app: &HostedApp) {
    let sim = simulator().await;
    let world = World::start_on(app, &sim).await;
    let logged = app.ingestion_runs().await.unwrap().len();
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    let runs = app.ingestion_runs().await.unwrap();
    assert_eq!(runs.len(), logged + 1);
    let run = runs.first().unwrap();
    assert_eq!((run.source.as_str(), run.trigger.as_str()), ("mixed_daily", "manual"));
    assert_eq!(run.ingested.len(), 30, "{run:?}");
    let has_year = |title: &String| title.ends_with(')') && title.contains(" (");
    assert!(run.ingested.iter().all(has_year), "{:?}", run.ingested);
    // One request per movie; calls are logged in batches, a moment later.
    world.most_calls_for_one_movie().becomes(1).await;
    let calls = async || app.calls_logged_by("ingest").await;
    eventually("calls are in the app's log", calls, |n| *n >= 30).await;
    // The next run is not held up by the first.
    world.verb(&["jobs", "run", "scheduled_ingest_weekly", "--follow"]);
    assert_eq!(app.ingestion_runs().await.unwrap().len(), logged + 2);
}

/// Movies of a run fail for good: each is a dead letter, the run ends, the log says why, and the
/// job runs again.
#[tokio::test(flavor = "multi_thread")]
async fn A2_a_run_whose_movies_fail_ends_and_runs_again() {
    let app = HostedApp::production("a2-fails").await;
    let sim = simulator().await;
    // A share of the movies: asking again never helps.
    sim.control().fail(Faults { bad_id: 0.3, ..Faults::default() });
    let world = World::start_on(&app, &sim).await;
    let said = world.try_verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    let run = app.ingestion_runs().await.unwrap().remove(0);
    assert!(!run.failed.is_empty() && !run.ingested.is_empty(), "{run:?}");
    assert!(run.failed.iter().all(|line| line.contains(": ")), "{:?}", run.failed);
    world.dead_letters().because("upstream-refused").becomes(count(&run.failed)).await;
    // Calls are logged in batches, a moment later. Asking again does not help.
    world.most_calls_for_one_movie().becomes(1).await;
    sim.control().fail(Faults::default());
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
}

fn count<T>(items: &[T]) -> i64 {
    i64::try_from(items.len()).unwrap()
}

/// What the app's tables refuse of the jobs' bookkeeping holds up no movie, no dead letter and no
/// run.
#[tokio::test(flavor = "multi_thread")]
async fn A2_bookkeeping_that_the_app_refuses_holds_up_nothing() {
    let app = HostedApp::repository("a2-refused").await;
    for table in ["scheduled_ingestion_log", "tmdb_api_logs", "refresh_queue", "sync_state"] {
        app.refuse_rows_of(table).await;
    }
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    world.publish("movies.stale.now", b"no movie").await;
    world.dead_letters().becomes(1).await;
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    // Those of the fixture, the one that it had only heard of, and two lists of thirty.
    assert_eq!(app.rows_of("work_cards_cache").await, 60 + 1 + 60);
}

/// Nor does a table of bookkeeping that somebody holds locked: movies come in all the same.
#[tokio::test(flavor = "multi_thread")]
async fn A2_bookkeeping_that_is_locked_holds_up_no_movie() {
    let app = HostedApp::repository("a2-locked").await;
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    let mut locks = Vec::new();
    for table in ["scheduled_ingestion_log", "tmdb_api_logs", "refresh_queue", "sync_state"] {
        locks.push(app.lock_table(table).await);
    }
    let few = r#"{"limit": 4}"#;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--payload", few, "--follow"]);
    let few = r#"{"source": "mixed_daily", "max_movies": 4}"#;
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--payload", few, "--follow"]);
    for lock in locks {
        lock.end().await;
    }
    assert!(app.rows_of("work_cards_cache").await >= 60 + 4);
}

/// The app asks by parameter name, before and after; the answers are the same.
#[tokio::test(flavor = "multi_thread")]
async fn A8_functions_are_called_by_their_parameters_names() {
    let app = HostedApp::repository("a8").await;
    let mut stale = Vec::new();
    for id in KNOWN {
        stale.push(app.is_stale(id).await);
    }
    let listed = app.stale_movies(100).await.unwrap();
    assert!(listed.contains(&"603".to_owned()), "{listed:?}");
    app.adopt();
    for (id, before) in KNOWN.into_iter().zip(stale) {
        assert_eq!(app.is_stale(id).await, before, "{id}");
    }
    assert_eq!(app.stale_movies(100).await.unwrap(), listed);
}

/// Production lost one of the two: it is there again, with the app's columns, for whoever is
/// granted it.
#[tokio::test(flavor = "multi_thread")]
async fn A8_a_function_that_is_missing_is_made() {
    let app = HostedApp::production("a8-made").await;
    app.stale_movies(100).await.unwrap_err();
    app.adopt();
    let refused = app.stale_movies(100).await.unwrap_err();
    assert!(refused.contains("permission denied for function"), "{refused}");
    app.grant_stale_movies("service_role").await;
    let listed = app.stale_movies(100).await.unwrap();
    for stale in ["603", "27205", "13"] {
        assert!(listed.contains(&stale.to_owned()), "{stale}: {listed:?}");
    }
    assert!(!listed.contains(&"155".to_owned()), "{listed:?}");
}

/// An answer with empty or missing parts erases nothing of an adopted row, and similar movies that
/// people picked are nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn A9_an_answer_with_empty_parts_erases_nothing() {
    let app = HostedApp::production("a9").await;
    let sim = simulator().await;
    sim.control().edit(
        603,
        json!({
            "credits": {"cast": [], "crew": []}, "videos": {"results": []},
            "keywords": {"keywords": []}, "watch/providers": {"results": {}},
            "similar": {"results": []}, "release_dates": {"results": []}, "title": "Renamed"
        }),
    );
    sim.control().edit(
        550,
        json!({
            "credits": null, "videos": null, "keywords": null, "watch/providers": null,
            "similar": null, "release_dates": null, "title": "Renamed too"
        }),
    );
    let before = [app.details_row(603).await.unwrap(), app.details_row(550).await.unwrap()];
    let world = World::start_on(&app, &sim).await;
    refresh(&world, &[603, 550]);
    for (id, before) in [603, 550].into_iter().zip(before) {
        let after = app.details_row(id).await.unwrap();
        let card = app.card(id).await.unwrap();
        assert!(card.card.title.starts_with("Renamed"), "{}", card.card.title);
        for key in ["cast_members", "crew_members", "trailers", "keywords"] {
            let size = |row: &Value| row[key].as_array().map_or(0, Vec::len);
            assert_eq!(size(&after), size(&before), "{key} of {id}: {}", after[key]);
        }
        assert!(!after["streaming"]["us"].is_null(), "{id}: {}", after["streaming"]);
        assert_eq!(after["certification"], "R", "{id}");
        assert_eq!(card.payload["certification"], "R", "{id}");
        assert_eq!(card.card.cast.map(|cast| cast.len()), Some(8), "{id}");
        assert_eq!(app.similar_rows(id, "tmdb").await, 10, "{id}");
    }
    assert_eq!(app.similar_rows(603, "editorial").await, 2);
}

/// A refresh with all parts leaves similar movies of other sources, and writes the app's own
/// source.
#[tokio::test(flavor = "multi_thread")]
async fn A9_only_rows_of_our_own_source_are_ours() {
    let app = HostedApp::production("a9-similar").await;
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    refresh(&world, &[603]);
    assert_eq!(app.similar_rows(603, "editorial").await, 2, "picked by hand");
    assert!(app.similar_rows(603, "tmdb").await > 0);
    for other in ["similar", "recommendations"] {
        assert_eq!(app.similar_rows(603, other).await, 0, "{other}");
    }
}

/// One rating and one score, under the names and in the shape that the app has.
#[tokio::test(flavor = "multi_thread")]
async fn A11_scores_keep_their_names_and_their_shape() {
    let app = HostedApp::production("a11").await;
    let sim = simulator().await;
    sim.control().edit(603, json!({"vote_average": 9.8, "vote_count": 31_000}));
    let world = World::start_on(&app, &sim).await;
    refresh(&world, &[603, 13]);
    assert_eq!(app.scores_of(603).await, ["Letterboxd", "TMDB", "v1_2025_11"]);
    assert_eq!(app.scores_of(13).await, ["TMDB", "v1_2025_11"]);
    let score = app.aggregate(603).await;
    assert_eq!(score["n_audience"], 1);
    for (key, expected) in [
        ("ai_score", 98.0),
        ("audience_score", 98.0),
        ("ai_score_low", 93.0),
        ("ai_score_high", 100.0),
    ] {
        let value = score[key].as_f64().unwrap();
        assert!((value - expected).abs() < 0.01, "{key}: {value}");
    }
    assert_eq!(score["source_scores"]["tmdb"]["votes"], 31_000, "{score}");
    let card = app.card(603).await.unwrap().card;
    assert_eq!(card.source_scores.unwrap().tmdb.unwrap().votes, Some(31_000));
    let similar = app.similar_movie(603).await.unwrap();
    assert!((similar.ai_score - 98.0).abs() < 0.01, "{similar:?}");
}
