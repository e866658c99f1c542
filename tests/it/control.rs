//! Job control from everywhere: the same verbs by SQL, by the command line and by NATS; runs that
//! end before their time.

use std::time::{Duration, Instant};

use proto::RunEvent;
use serde_json::{Value, json};
use tests::{World, simulator};
use tmdb_sim::Sim;

/// A pause by SQL, by the command line and by NATS shows within a second in all three; the same
/// request is done once.
#[tokio::test]
async fn a_pause_shows_everywhere_within_a_second() {
    const JOB: &str = "refresh_worker";
    let world = World::start("everywhere").await;
    let seen_everywhere = async |note: &str| {
        let begun = Instant::now();
        assert_eq!(world.note_of(JOB).await, note, "SQL");
        let job = world.request("jobs.show", &json!({"name": JOB})).await.unwrap();
        assert_eq!(job["note"].as_str().unwrap_or_default(), note, "NATS");
        assert!(world.verb(&["jobs", "show", JOB]).contains(note), "command line");
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    };
    world.pause_by_sql(JOB, "by SQL").await;
    seen_everywhere("by SQL").await;
    world.verb(&["jobs", "resume", JOB]);
    world.verb(&["jobs", "pause", JOB, "--note", "by hand"]);
    seen_everywhere("by hand").await;
    world.request("jobs.resume", &json!({"name": JOB})).await.unwrap();
    let pause = json!({"name": JOB, "note": "by NATS", "by": "ann", "request_id": "once"});
    world.request("jobs.pause", &pause).await.unwrap();
    seen_everywhere("by NATS").await;
    world.resume_by_sql(JOB).await;
    let repeated = world.request("jobs.pause", &pause).await.unwrap();
    assert_eq!(repeated["name"], JOB, "the shape of the first answer: {repeated}");
    assert_eq!(world.job(JOB).enabled().await, 1, "asked twice, done once");
    let audit = world.audit().by("nats, says it is ann").of_request("once").with_before_and_after();
    assert_eq!(audit.await, 1);
    let (code, text) = world.request("jobs.pause", &json!({"name": "nobody"})).await.unwrap_err();
    assert_eq!((code, text.as_str()), (404, "there is no job nobody"));
    let wrong = json!({"name": JOB, "schedule": "61 * * * *"});
    let (code, text) = world.request("jobs.set", &wrong).await.unwrap_err();
    assert!(code == 400 && text.contains("61 * * * *"), "{code} {text}");
}

/// Asks; it must not be refused.
async fn ask(world: &World, verb: &str, request: Value) -> Value {
    let answer = world.request(verb, &request).await;
    answer.unwrap_or_else(|e| panic!("{verb} {request}: {e:?}"))
}

/// Every verb of the service answers, with an error that names the field where the request is
/// wrong.
#[tokio::test]
async fn every_verb_answers_by_nats() {
    let world = World::start("verbs").await;
    verbs_for_jobs_answer(&world).await;
    verbs_for_movies_answer(&world).await;
    verbs_for_dead_letters_answer(&world).await;
    assert_eq!(world.request("jobs.list", &json!([1])).await.unwrap_err().0, 400);
}

async fn verbs_for_jobs_answer(world: &World) {
    let ask = async |verb, request| ask(world, verb, request).await;
    let extra = json!({"name": "extra"});
    let made =
        json!({"name": "extra", "action": "scan", "schedule": "@hourly", "payload": {"limit": 5}});
    assert_eq!(ask("jobs.create", made.clone()).await["name"], "extra");
    assert_eq!(world.request("jobs.create", &made).await.unwrap_err().0, 409);
    let next = ask("jobs.next", json!({"name": "extra", "n": 3})).await;
    assert_eq!(next["times"].as_array().unwrap().len(), 3);
    assert_eq!(ask("jobs.set", json!({"name": "extra", "jitter_secs": 9})).await["jitter_secs"], 9);
    let once = json!({"name": "extra", "request_id": "r"});
    let run = ask("jobs.run", once.clone()).await;
    assert_eq!(ask("jobs.run", once.clone()).await, run, "one run for one request");
    let other = world.request("jobs.pause", &once).await.unwrap_err();
    assert!(other.0 == 409 && other.1.contains("request_id"), "{other:?}");
    world.run("extra").succeeds().await;
    assert_eq!(ask("jobs.runs", extra.clone()).await["runs"][0]["run_id"], run["run_id"]);
    let dry = json!({"name": "scheduled_ingest_daily", "dry_run": true});
    let dry = ask("jobs.run", dry).await;
    assert_eq!((&dry["action"], &dry["movies"]), (&json!("ingest"), &json!(30)));
    assert!(dry["estimated_secs"].is_number() && dry["words"].is_null(), "{dry}");
    let past =
        json!({"name": "extra", "from": "2026-01-01T00:00:00Z", "to": "2026-01-01T02:00:00Z"});
    assert_eq!(ask("jobs.backfill", past).await["runs"].as_array().unwrap().len(), 3);
    world.run("extra").backfilled().succeeded().becomes(3).await;
    assert_eq!(ask("jobs.delete", extra).await["deleted"], "extra");
    let (_, text) = world.request("jobs.create", &made).await.unwrap_err();
    assert!(text.contains("deleted"), "a name is never given again: {text}");
    assert_eq!(ask("jobs.lint", json!({})).await, json!({"findings": []}));
    assert!(ask("jobs.hold", json!({"held": true, "note": "n"})).await["held"].is_string());
    assert!(ask("jobs.hold", json!({"held": false})).await["held"].is_null());
}

async fn verbs_for_movies_answer(world: &World) {
    assert!(ask(world, "ingest", json!({"movies": [603]})).await["accepted"].is_array());
    world.complete(603).await;
    let movie = json!({"tmdb_id": 603});
    let shown = ask(world, "movie.show", movie.clone()).await;
    assert_eq!((&shown["title"], &shown["tmdb_id"]), (&json!("The Matrix"), &json!(603)));
    assert_eq!(ask(world, "movie.history", movie).await["events"][0]["kind"], "created");
    assert!(ask(world, "refresh", json!({"movies": [603]})).await["accepted"].is_array());
    assert_eq!(world.request("movie.show", &json!({"tmdb_id": 1})).await.unwrap_err().0, 404);
    world.titles_are_counted().await;
    assert_eq!(ask(world, "status", json!({})).await["titles"], 1);
}

async fn verbs_for_dead_letters_answer(world: &World) {
    world.publish("movies.ingest.movie", b"{}").await;
    world.dead_letters().becomes(1).await;
    let id = ask(world, "dead.list", json!({})).await["dead_letters"][0]["id"].clone();
    assert_eq!(ask(world, "dead.groups", json!({})).await["groups"][0]["latest_id"], id);
    assert_eq!(ask(world, "dead.show", json!({"id": id})).await["reason"], "invalid-payload");
    let replay = json!({"ids": [id], "payload": {"tmdb_id": 550}, "request_id": "replay"});
    let again = ask(world, "dead.replay", replay.clone()).await;
    assert!(again["replayed"][0]["replayed_as"].is_string(), "{again}");
    assert_eq!(ask(world, "dead.replay", replay).await, again, "once for one request");
    let refused = world.request("dead.drop", &json!({})).await.unwrap_err();
    assert_eq!(refused.0, 400, "all has to be said");
    assert_eq!(ask(world, "dead.drop", json!({"all": true})).await["dropped"], 1);
}

/// How often the calls are counted meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Calls a second of the runs that are cancelled.
const RATE: u64 = 10;
/// So soon after its cancelling nothing is asked for a run any more.
const CANCELLED_WITHIN_SECS: u64 = 2;

/// Half-way through a run of 80 somebody cancels it: within two seconds nothing is asked for it any
/// more, and its rows add up.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_stops_asking_tmdb() {
    let sim = simulator().await;
    let world = World::start_against("cancel", &sim, &[("TMDB_RATE", &RATE.to_string())]).await;
    a_cancelled_list_stops(&world, &sim).await;
    a_cancelled_scan_stops(&world, &sim).await;
}

/// Nothing may be asked for a run that was just cancelled: soon its stream is empty, so that no
/// message can have anything asked for it any more; one that comes later is all that asks.
async fn asks_for_nothing_any_more(world: &World, sim: &Sim, stream: &str) {
    let asked = || sim.control().stats().calls;
    let when_cancelled = asked();
    let cancelled_at = Instant::now();
    let mut last = (asked(), cancelled_at);
    let settled = async {
        world.all_published().await;
        world.nothing_left_in(stream).await;
    };
    let mut settled = std::pin::pin!(settled);
    while tokio::time::timeout(LOOK_EVERY, &mut settled).await.is_err() {
        if asked() != last.0 {
            last = (asked(), Instant::now());
        }
    }
    let after = asked() - when_cancelled;
    assert!(after <= RATE * CANCELLED_WITHIN_SECS, "{after} calls after it was cancelled");
    let span = last.1 - cancelled_at;
    assert!(span.as_secs() <= CANCELLED_WITHIN_SECS, "calls for {span:?} after it was cancelled");
    let (before, events) = (asked(), world.events("movies.refreshed.603").await);
    world.ingest_forced(603).await;
    world.events("movies.refreshed.603").becomes(events + 1).await;
    assert_eq!(asked(), before + 1, "only the later message asks");
}

async fn a_cancelled_list_stops(world: &World, sim: &Sim) {
    const JOB: &str = "scheduled_ingest_weekly";
    world.verb(&["jobs", "run", JOB]);
    world.run(JOB).done().reaches(40).await;
    let cancel = json!({"name": JOB, "note": "wrong list", "request_id": "cancel"});
    let told = ask(world, "jobs.cancel", cancel.clone()).await;
    assert!(told["status"] == "cancelled" && told["cancelled"].as_i64() > Some(0), "{told}");
    asks_for_nothing_any_more(world, sim, "MOVIES_INGEST").await;
    let cancelled = world
        .run(JOB)
        .cancelled()
        .without_pending()
        .with_cancelled(1..=40)
        .that_add_up()
        .because_like("cancelled by%: wrong list")
        .that_count_their_items();
    assert_eq!(cancelled.await, 1, "{}", world.verb(&["jobs", "runs"]));
    assert_eq!(world.list_runs().cancelled("wrong list").await, 1);
    let repeated = ask(world, "jobs.cancel", cancel).await;
    assert_eq!(repeated["run_id"], told["run_id"], "it is over, and that is what was asked for");
    let events = world.events("movies.run.scheduled_ingest_weekly").saying("status", "cancelled");
    events.becomes(1).await;
}

async fn a_cancelled_scan_stops(world: &World, sim: &Sim) {
    const JOB: &str = "daily_refresh_enqueue";
    world.age_all(200).await;
    let calls = sim.control().stats().calls;
    world.verb(&["jobs", "run", JOB]);
    world.run(JOB).done().reaches(5).await;
    world.cancel_by_sql(JOB).await;
    let (code, text) = world.request("jobs.cancel", &json!({"name": JOB})).await.unwrap_err();
    assert!(code == 409 && text.contains("no open run"), "{code} {text}");
    asks_for_nothing_any_more(world, sim, "MOVIES_STALE").await;
    let asked = sim.control().stats().calls - calls;
    assert!(asked <= 40, "{asked} calls, though it was cancelled after the first few");
    world.queue().open().becomes(0).await;
    let run = world.run(JOB).with_some_cancelled().that_add_up_without_skipped();
    assert_eq!(run.await, 1, "{}", world.verb(&["jobs", "runs"]));
    assert_eq!(world.dead_letters().await, 0);
    // They are due all the same: the next scan finds them.
    world.verb(&["jobs", "run", JOB, "--follow"]);
    assert_eq!(world.movies().due().await, 0);
}

/// What the broker lost and nobody carries ends as lost, and begins again; what it still carries
/// does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_no_message_carries_is_lost_and_begins_anew() {
    const JOB: &str = "scheduled_ingest_daily";
    let sim = simulator().await;
    let world = World::start_against("lost", &sim, &[("TMDB_RATE", "10")]).await;
    world.verb(&["jobs", "set", JOB, "--lost-after", "2"]);
    world.verb(&["jobs", "run", JOB]);
    world.run(JOB).pending().reaches(1).await;
    sim.control().outage(Duration::from_secs(60));
    is_not_lost_while_messages_wait(&world, JOB).await;
    sim.control().outage(Duration::from_secs(5));
    world.jetstream("STREAM.PURGE.MOVIES_INGEST").await;
    world.run(JOB).lost().without_pending().with_failed().becomes(1).await;
    world.run(JOB).at_attempt(2).succeeds().await;
    assert_eq!(world.movies().complete().await, 30);
}

/// Nothing happens to the run for a minute, yet its messages wait. Another, which no message
/// carries, is found lost: so the scheduler looked at quiet runs, and left this one.
async fn is_not_lost_while_messages_wait(world: &World, job: &str) {
    world.edit_job("daily_refresh_enqueue", &[("lost_after_secs", "2")]).await;
    for n in 1.. {
        let decoy = format!("decoy-{n}");
        world.nothing_happened_to_runs_of(job, 60).await;
        world.add_endless_run(&decoy, "daily_refresh_enqueue", "scan").await;
        world.run_with_id(&decoy).lost().becomes(1).await;
        if world.run(job).untouched_for_secs(60).await == 1 {
            break;
        }
        assert!(n < 5, "something happens to the run all the time");
    }
    assert_eq!(world.run(job).lost().await, 0);
    assert_eq!(world.run(job).open().await, 1);
}

/// What a run does that comes while another is not over, by each policy.
#[tokio::test]
async fn runs_that_overlap_do_as_the_policy_says() {
    const JOB: &str = "maintenance";
    let world = World::start("overlap").await;
    let others = || world.run(JOB).but("busy");
    let policy = |p: &str| world.verb(&["jobs", "set", JOB, "--overlap-policy", p]);
    world.add_endless_run("busy", JOB, "maintain").await;
    let told = world.verb_fails(&["jobs", "run", JOB]);
    assert!(told.contains("busy is not over") && told.contains("--force"), "{told}");
    policy("queue_one");
    world.verb(&["jobs", "run", JOB]);
    assert!(world.verb_fails(&["jobs", "run", JOB]).contains("is not over"));
    assert_eq!(others().waiting().await, 1);
    policy("queue_all");
    world.verb(&["jobs", "run", JOB]);
    world.verb(&["jobs", "run", JOB]);
    assert_eq!(others().waiting().await, 3);
    policy("allow");
    world.verb(&["jobs", "run", JOB]);
    others().succeeds().await;
    assert_eq!(others().waiting().await, 3, "these wait for the one that is not over");
    policy("queue_all");
    world.end_run("busy").await;
    others().succeeded().becomes(4).await;
    assert_eq!(world.runs_at_the_same_time(JOB).await, 0, "one after the other");
    world.delete_run("busy").await;
    world.add_endless_run("busy", JOB, "maintain").await;
    policy("cancel_other");
    world.verb(&["jobs", "run", JOB, "--follow"]);
    assert_eq!(world.run_with_id("busy").cancelled().await, 1);
}

/// A job whose scans look at one movie.
fn create_scan(world: &World, name: &str, more: &[&str]) {
    let scan = ["jobs", "create", name, "--action", "scan", "--payload", r#"{"limit": 1}"#];
    world.verb(&[&scan, more].concat());
}

/// Limits: so many runs and no more, not at excluded times, always equally late; overdue is said
/// once. Every event reads as its type.
#[tokio::test]
async fn limits_exclusions_jitter_and_the_dead_mans_switch() {
    let world = World::start("limits").await;
    let every_second = ["--schedule", "every 1s"];
    let allow = ["--overlap-policy", "allow"];
    create_scan(&world, "thrice", &[&every_second[..], &["--max-runs", "3"], &allow].concat());
    create_scan(&world, "never", &[&every_second[..], &["--except", "* * * * *"]].concat());
    create_scan(
        &world,
        "late",
        &[&["--schedule", "every 2s", "--jitter", "3"], &allow[..]].concat(),
    );
    create_scan(&world, "dead-man", &["--schedule", "@yearly", "--overdue-after", "1"]);
    world.run("thrice").succeeded().becomes(3).await;
    world.run("never").skipped().because_like("excluded by").reaches(4).await;
    world.run("late").succeeded().reaches(6).await;
    assert_eq!(world.run("thrice").await, 3);
    assert!(world.verb(&["jobs", "list"]).contains("ended after 3 runs"));
    assert_eq!(world.run("never").not_skipped().await, 0);
    assert_eq!(world.run("late").later_than_secs(6.0).await, 0);
    assert!(world.run("late").later_than_secs(1.2).await > 0);
    a_missing_success_is_reported_once(&world).await;
    let told = world.verb_fails(&["jobs", "set", "late", "--overlap-policy", "maybe"]);
    assert!(told.contains("queue_one"), "{told}");
    let events = world.run_events().await;
    for event in &events {
        serde_json::from_value::<RunEvent>(event.clone())
            .unwrap_or_else(|e| panic!("{e}: {event}"));
    }
    for status in ["started", "succeeded", "skipped", "overdue"] {
        assert!(events.iter().any(|e| e["status"] == status), "{status}");
    }
}

async fn a_missing_success_is_reported_once(world: &World) {
    world.events("movies.run.dead-man").saying("status", "overdue").becomes(1).await;
    assert!(world.verb(&["jobs", "list"]).contains("OVERDUE"));
    world.verb(&["jobs", "run", "dead-man", "--follow"]);
    assert!(!world.verb(&["jobs", "show", "dead-man"]).contains("YES"));
}
