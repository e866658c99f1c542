//! What other systems read: every event that is really sent fits its schema, and can be read by the
//! SDK of CloudEvents.
//!
//! The check is a script of Node.js with the packages that `proto/events-check` locks; without
//! Node.js or the packages the test says so and passes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use async_nats::jetstream::{self, consumer::pull};
use futures::StreamExt;
use serde_json::{Map, Value, json};
use tests::{Said, World, nats_login, simulator};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const FILES: [&str; 4] = [".npmrc", "package.json", "package-lock.json", "check.mjs"];
/// Of the streams of events and dead letters.
const STREAMS: [&str; 2] = ["MOVIES_EVENTS", "MOVIES_DEAD"];

fn proto() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto")
}

/// All messages of a stream, each as JSON: subject, headers, payload.
async fn captured(world: &World, stream: &str) -> Vec<Value> {
    let login = world.nats_url.trim_start_matches("nats://").split_once('@').unwrap().0;
    let (user, password) = login.split_once(':').unwrap();
    let options = async_nats::ConnectOptions::with_user_and_password(user.into(), password.into());
    let client = options.connect(nats_login(&world.nats_url).0).await.unwrap();
    let stream = jetstream::new(client).get_stream(stream).await.unwrap();
    let count = usize::try_from(stream.cached_info().state.messages).unwrap();
    if count == 0 {
        return Vec::new();
    }
    let consumer = stream.create_consumer(pull::OrderedConfig::default()).await.unwrap();
    let messages = consumer.messages().await.unwrap().take(count);
    messages
        .map(|message| {
            let message = message.unwrap();
            let headers = message.headers.iter().flat_map(async_nats::HeaderMap::iter);
            let headers: Map<String, Value> = headers
                .map(|(name, values)| (name.to_string(), values[0].as_str().into()))
                .collect();
            let payload: Value = serde_json::from_slice(&message.payload).unwrap();
            json!({"subject": message.subject.as_str(), "headers": headers, "payload": payload})
        })
        .collect()
        .await
}

/// A day in the life of a catalogue: movies created, updated, unchanged, removed and restored, runs
/// that end well and badly, dead letters.
async fn live(world: &World, sim: &tmdb_sim::Sim) {
    let headers = format!(
        "NATS/1.0\r\nNats-Msg-Id: by hand, 100 %\r\n\
         traceparent: 00-{TRACE}-b7ad6b7169203331-01\r\n\r\n"
    );
    world.publish_raw("movies.ingest.movie", headers.as_bytes(), br#"{"tmdb_id": 603}"#).await;
    world.complete(603).await;
    world.verb(&["ingest", "--movie", "550", "--follow"]);
    world.verb(&["ingest", "--list", "popular", "--max", "40", "--follow"]);
    sim.control().edit(603, json!({"tagline": "New", "genres": [{"id": 1, "name": "Horror"}]}));
    world.verb(&["refresh", "--movie", "603", "550", "--follow"]);
    sim.control().delete(550);
    world.stale(550).await;
    world.movie(550).missing().becomes(1).await;
    world.missing_since_hours_earlier(25).await;
    world.stale(550).await;
    world.movie(550).removed().becomes(1).await;
    sim.control().restore(550);
    world.ingest(550).await;
    world.movie(550).not_removed().becomes(1).await;
    world.age_all(100).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 999999999}"#).await;
    world.publish("movies.ingest.movie", b"hello").await;
    world.dead_letters().becomes(2).await;
    world.all_published().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_fits_its_schema_and_is_a_cloud_event() {
    let sim = simulator().await;
    let world = World::start_against("events", &sim, &[("TMDB_RATE", "0")]).await;
    live(&world, &sim).await;
    let mut events = Vec::new();
    for stream in STREAMS {
        events.extend(captured(&world, stream).await);
    }
    let said = |field: &str, value: &str| {
        events.iter().filter(|event| event["payload"][field] == value).count()
    };
    for change in ["created", "updated", "removed", "restored"] {
        assert!(said("change", change) > 0, "{change}");
        assert_eq!(said("change", change), said("outcome", change), "{change}");
    }
    assert!(said("outcome", "unchanged") > 0);
    let of_movie = |event: &&Value| event["subject"] == "movies.changed.603";
    let created = events.iter().find(of_movie).unwrap();
    let header = |name: &str| created["headers"][name].as_str().unwrap().to_owned();
    assert!(header("traceparent").starts_with(&format!("00-{TRACE}-")), "{created}");
    assert!(header("ce-id").contains("by%20hand,%20100%20%25"), "{created}");
    assert_eq!(created["payload"]["card"]["tmdb_id"], 603);

    let folder = world.folder.0.join("check");
    fs::create_dir_all(&folder).unwrap();
    for file in FILES {
        fs::copy(proto().join("events-check").join(file), folder.join(file)).unwrap();
    }
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    fs::write(folder.join("events"), lines).unwrap();
    let mut npm = Command::new("npm");
    npm.args(["ci", "--prefer-offline", "--fetch-retries=1", "--loglevel=error"]);
    if let Err(why) = npm.current_dir(&folder).output().map_err(|e| e.to_string()).and_then(|out| {
        if out.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&out.stderr).into()) }
    }) {
        println!("SKIPPED: the check of {} events: {why}", events.len());
        return;
    }
    let mut node = Command::new("node");
    node.arg("check.mjs").arg(proto().join("schemas")).arg("events").current_dir(&folder);
    let said = Said::by(&mut node);
    println!("{}", said.text);
    assert!(said.succeeded(), "{}", said.text);
}
