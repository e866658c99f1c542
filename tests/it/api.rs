//! Requests, answers and what commands print are as docs/api says, and the same by NATS and on the
//! command line. [`World::request`] compares every answer of the whole suite with its schema.

use std::collections::BTreeSet;

use proto::API_VERBS;
use serde_json::{Value, json};
use tests::{
    World,
    shapes::{assert_answer, assert_printed},
};

use crate::output::pipeline;

const JOB: &str = "refresh_worker";
/// A list with nothing to find.
const EMPTY: &str = "scheduled_ingest_daily";

/// Asks for verbs, and remembers which.
struct Asks<'a> {
    world: &'a World,
    verbs: BTreeSet<String>,
}

impl Asks<'_> {
    async fn ask(&mut self, verb: &str, request: Value) -> Value {
        self.verbs.insert(verb.to_owned());
        let answer = self.world.request(verb, &request).await;
        answer.unwrap_or_else(|(code, text)| panic!("{verb}: {code} {text}"))
    }

    /// The command prints what the verb answers: one schema for both.
    fn prints(&self, args: &[&str], verb: &str) -> Value {
        let printed = printed(self.world, args);
        assert_answer(verb, &printed);
        printed
    }
}

fn printed(world: &World, args: &[&str]) -> Value {
    let said = world.try_verb(&[args, &["--json"]].concat());
    let json = said.text.strip_suffix(&*said.errors).unwrap_or_default();
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{args:?}: {e}: {}", said.text))
}

#[tokio::test]
async fn every_verb_answers_by_nats_and_as_a_command_as_its_schema_says() {
    let world = World::start("api").await;
    let mut asks = Asks { world: &world, verbs: BTreeSet::new() };
    of_jobs(&mut asks).await;
    of_runs(&mut asks).await;
    of_movies(&mut asks).await;
    of_dead_letters(&mut asks).await;
    let promised: BTreeSet<String> = API_VERBS.iter().map(|verb| verb.name.to_owned()).collect();
    assert_eq!(asks.verbs, promised, "each verb is asked for");
}

async fn of_jobs(asks: &mut Asks<'_>) {
    let named = json!({"name": JOB});
    asks.ask("jobs.list", json!({})).await;
    asks.prints(&["jobs", "list"], "jobs.list");
    asks.ask("jobs.show", named.clone()).await;
    asks.ask("jobs.get", named.clone()).await;
    asks.prints(&["jobs", "show", JOB], "jobs.show");
    asks.ask("jobs.next", named.clone()).await;
    asks.prints(&["jobs", "next", JOB], "jobs.next");
    asks.ask("jobs.lint", json!({})).await;
    asks.prints(&["jobs", "lint"], "jobs.lint");
    asks.ask("jobs.pause", json!({"name": JOB, "until": "1h", "note": "n"})).await;
    let paused = asks.prints(&["jobs", "pause", JOB, "--until", "2h30m"], "jobs.pause");
    assert!(paused["paused_until"].is_string(), "{paused}");
    asks.ask("jobs.resume", named).await;
    assert!(asks.prints(&["jobs", "resume", JOB], "jobs.resume")["next_at"].is_string());
    asks.ask("jobs.set", json!({"name": JOB, "jitter_secs": 2})).await;
    let set = asks.prints(&["jobs", "set", JOB, "--jitter", "1"], "jobs.set");
    assert_eq!(set["jitter_secs"], 1);
    let draft = json!({"name": "ours", "action": "maintain", "schedule": "@daily"});
    asks.ask("jobs.create", draft).await;
    let draft = ["--action", "maintain", "--schedule", "@daily", "--starts", "2099-01-01"];
    let made = asks.prints(&[&["jobs", "create", "mine"][..], &draft].concat(), "jobs.create");
    assert_eq!(made["starts_at"], "2099-01-01T00:00:00Z", "a date is its midnight in UTC");
    assert_eq!(asks.ask("jobs.delete", json!({"name": "ours"})).await["deleted"], "ours");
    assert_eq!(asks.prints(&["jobs", "delete", "mine"], "jobs.delete")["deleted"], "mine");
    asks.ask("jobs.hold", json!({"held": true})).await;
    assert!(asks.prints(&["jobs", "hold"], "jobs.hold")["held"].is_string());
    assert!(asks.prints(&["jobs", "hold", "--off"], "jobs.hold")["held"].is_null());
}

async fn of_runs(asks: &mut Asks<'_>) {
    let world = asks.world;
    let dry = asks.ask("jobs.run", json!({"name": EMPTY, "dry_run": true})).await;
    assert!(dry["action"] == "ingest" && dry["estimated_secs"].is_number(), "{dry}");
    asks.prints(&["jobs", "run", EMPTY, "--dry-run"], "jobs.run");
    let run = asks.ask("jobs.run", json!({"name": JOB})).await;
    world.run(JOB).succeeds().await;
    asks.prints(&["jobs", "run", JOB], "jobs.run");
    assert_printed("jobs.run.follow", &printed(world, &["jobs", "run", "maintenance", "--follow"]));
    let runs = asks.ask("jobs.runs", json!({"run_id": run["run_id"]})).await;
    assert_eq!(runs["runs"][0]["run_id"], run["run_id"]);
    asks.prints(&["jobs", "runs"], "jobs.runs");
    for (run, by_nats) in [("busy", false), ("idle", true)] {
        world.add_endless_run(run, "maintenance", "maintain").await;
        let cancelled = if by_nats {
            asks.ask("jobs.cancel", json!({"run_id": run})).await
        } else {
            asks.prints(&["jobs", "cancel", "maintenance"], "jobs.cancel")
        };
        assert_eq!(
            (&cancelled["run_id"], &cancelled["status"]),
            (&json!(run), &json!("cancelled"))
        );
    }
    let past = json!({"name": "maintenance", "from": "2026-01-01T00:00:00Z",
        "to": "2026-01-02T00:00:00Z", "dry_run": true});
    asks.ask("jobs.backfill", past).await;
    let past = ["--from", "2026-01-01", "--to", "2026-01-02", "--dry-run"];
    let args = [&["jobs", "backfill", "maintenance"][..], &past].concat();
    assert!(asks.prints(&args, "jobs.backfill")["runs"][0]["scheduled_for"].is_string());
}

async fn of_movies(asks: &mut Asks<'_>) {
    let world = asks.world;
    let accepted = asks.ask("ingest", json!({"movies": [603]})).await;
    let message = json!({"message_id": accepted["accepted"][0]["message_id"]});
    asks.prints(&["ingest", "--movie", "604"], "ingest");
    let followed = printed(world, &["ingest", "--movie", "605", "--follow"]);
    assert_printed("ingest.refresh.movie.follow", &followed);
    assert_eq!(followed["movies"][0]["outcome"], "stored");
    world.complete(603).await;
    assert_eq!(asks.ask("movie.ending", message).await["state"], "done");
    let waits = asks.ask("movie.ending", json!({"message_id": "nobody's"})).await;
    assert_eq!(waits["state"], "waiting");
    let list = json!({"list": "now_playing", "max_movies": 1});
    assert!(asks.ask("ingest", list).await["run_id"].is_string());
    asks.ask("refresh", json!({"movies": [603]})).await;
    asks.prints(&["refresh", "--movie", "603"], "refresh");
    asks.prints(&["refresh", "--due"], "refresh");
    let movie = json!({"tmdb_id": 603});
    let shown = asks.ask("movie.show", movie.clone()).await;
    assert_eq!(asks.ask("movie.get", movie.clone()).await["work_id"], shown["work_id"]);
    assert_eq!(asks.prints(&["movie", "show", "603"], "movie.show")["tmdb_id"], 603);
    asks.ask("movie.history", movie).await;
    let history = asks.prints(&["movie", "history", "603"], "movie.history");
    assert_eq!(history["events"][0]["kind"], "created");
    asks.ask("movie.pin", json!({"tmdb_id": 603, "every": "1d"})).await;
    asks.prints(&["movie", "pin", "603", "--every", "12h"], "movie.pin");
    asks.ask("movie.unpin", json!({"tmdb_id": 603})).await;
    asks.prints(&["movie", "unpin", "603"], "movie.unpin");
    assert!(asks.ask("movie.cards", json!({})).await["cards"][0]["card"].is_object());
    asks.ask("time", json!({})).await;
    world.titles_are_counted().await;
    asks.ask("status", json!({})).await;
    asks.prints(&["status"], "status");
}

async fn of_dead_letters(asks: &mut Asks<'_>) {
    let world = asks.world;
    for payload in [&b"{}"[..], b"hello", b"[]"] {
        world.publish("movies.ingest.movie", payload).await;
    }
    world.dead_letters().becomes(3).await;
    let id = asks.ask("dead.list", json!({})).await["dead_letters"][0]["id"].clone();
    asks.ask("dead.groups", json!({})).await;
    asks.ask("dead.show", json!({"id": id})).await;
    asks.prints(&["dead", "list"], "dead.groups");
    asks.prints(&["dead", "list", "--reason", "invalid-payload"], "dead.list");
    asks.prints(&["dead", "show", &id.to_string()], "dead.show");
    asks.ask("dead.replay", json!({"ids": [id], "payload": {"tmdb_id": 603}})).await;
    asks.prints(&["dead", "replay", "--reason", "none"], "dead.replay");
    asks.ask("dead.drop", json!({"ids": [id]})).await;
    asks.prints(&["dead", "drop", "--all"], "dead.drop");
}

/// What is asked for again under its id is done once, and answered in the same shape; what came
/// between the two is left alone.
#[tokio::test]
async fn a_repeated_request_does_nothing_more() {
    let world = World::start("repeated").await;
    let ask = async |verb: &str, request: Value| world.request(verb, &request).await.unwrap();
    world.publish("movies.ingest.movie", b"{}").await;
    world.dead_letters().becomes(1).await;
    let again = json!({"all": true, "again": true, "request_id": "replay"});
    let first = ask("dead.replay", again.clone()).await;
    world.dead_letters().becomes(2).await;
    assert_eq!(ask("dead.replay", again.clone()).await, first);
    let drop = json!({"all": true, "request_id": "drop"});
    assert_eq!(ask("dead.drop", drop.clone()).await["dropped"], 2);
    world.publish("movies.ingest.movie", b"[]").await;
    world.dead_letters().becomes(1).await;
    assert_eq!(ask("dead.drop", drop).await["dropped"], 2, "of the first time");
    assert_eq!(ask("dead.list", json!({})).await["dead_letters"].as_array().unwrap().len(), 1);
    let other = world.request("dead.drop", &again).await.unwrap_err();
    assert!(other.0 == 400 || other.0 == 409, "{other:?}");
}

/// What commands print that are no verbs.
#[tokio::test]
async fn other_commands_print_what_their_schema_says() {
    let world = World::start("printed").await;
    for (file, args) in [
        ("config", &["config"][..]),
        ("config.env", &["config", "--env"]),
        ("doctor", &["doctor"]),
        ("health", &["health"]),
        ("migrate", &["migrate", "--plan"]),
        ("migrate", &["migrate"]),
        ("remap", &["remap"]),
        ("topology", &["topology", "--check"]),
        ("topology", &["topology"]),
        ("topology.take-over", &["topology", "--take-over"]),
    ] {
        assert_printed(file, &printed(&world, args));
    }
    let (frame, _) = pipeline(&world, "watch --json", "| head -n 1 >&2");
    assert_printed("watch", &serde_json::from_str(frame.lines().next().unwrap()).unwrap());
}
