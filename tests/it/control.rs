//! Job control from everywhere: the same verbs by SQL, by the command line and by NATS; runs that
//! end before their time.

use std::time::{Duration, Instant};

use proto::RunEvent;
use serde_json::{Value, json};
use tmdb_sim::{Options, Sim};

use crate::world::World;

/// A pause by SQL, by the command line and by NATS shows within a second in all three; the same
/// request is done once.
#[tokio::test]
async fn a_pause_shows_everywhere_within_a_second() {
    let world = World::start("everywhere").await;
    let seen_everywhere = async |note: &str| {
        let begun = Instant::now();
        assert_eq!(
            world.text("select coalesce(note, '') from job where name = 'refresh_worker'").await,
            note,
            "SQL"
        );
        let job = world.request("jobs.get", &json!({"name": "refresh_worker"})).await.unwrap();
        assert_eq!(job["note"].as_str().unwrap_or_default(), note, "NATS");
        assert!(world.verb(&["jobs", "show", "refresh_worker"]).contains(note), "command line");
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    };
    world.execute("select mangoes_job_pause('refresh_worker', 'by SQL')").await;
    seen_everywhere("by SQL").await;
    world.verb(&["jobs", "resume", "refresh_worker"]);
    world.verb(&["jobs", "pause", "refresh_worker", "--note", "by hand"]);
    seen_everywhere("by hand").await;
    world.request("jobs.resume", &json!({"name": "refresh_worker"})).await.unwrap();
    let pause =
        json!({"name": "refresh_worker", "note": "by NATS", "by": "ann", "request_id": "once"});
    world.request("jobs.pause", &pause).await.unwrap();
    seen_everywhere("by NATS").await;
    world.execute("select mangoes_job_resume('refresh_worker')").await;
    assert_eq!(world.request("jobs.pause", &pause).await.unwrap()["repeated"], true);
    assert_eq!(
        world.one("select count(*) from job where name = 'refresh_worker' and enabled").await,
        1,
        "asked twice, done once"
    );
    assert_eq!(world.one("select count(*) from job_audit where by_whom = 'ann (nats)' and request_id = 'once' and before is not null and after is not null").await, 1);
    let (code, text) = world.request("jobs.pause", &json!({"name": "nobody"})).await.unwrap_err();
    assert_eq!((code, text.as_str()), (404, "there is no job nobody"));
    let (code, text) = world
        .request("jobs.set", &json!({"name": "refresh_worker", "schedule": "61 * * * *"}))
        .await
        .unwrap_err();
    assert!(code == 400 && text.contains("61 * * * *"), "{code} {text}");
}

/// Every verb of the service answers, with an error that names the field where the request is
/// wrong.
#[tokio::test]
async fn every_verb_answers_by_nats() {
    let world = World::start("verbs").await;
    let ask = async |verb: &str, request: Value| {
        world.request(verb, &request).await.unwrap_or_else(|e| panic!("{verb}: {e:?}"))
    };
    let made =
        json!({"name": "extra", "action": "scan", "schedule": "@hourly", "payload": {"limit": 5}});
    assert_eq!(ask("jobs.create", made.clone()).await["name"], "extra");
    assert_eq!(world.request("jobs.create", &made).await.unwrap_err().0, 409);
    assert_eq!(
        ask("jobs.next", json!({"name": "extra", "n": 3})).await.as_array().unwrap().len(),
        3
    );
    assert_eq!(ask("jobs.set", json!({"name": "extra", "jitter_secs": 9})).await["jitter_secs"], 9);
    let run = ask("jobs.run", json!({"name": "extra", "request_id": "r"})).await;
    assert_eq!(
        ask("jobs.run", json!({"name": "extra", "request_id": "r"})).await["answer"],
        run,
        "one run for one request"
    );
    world
        .until("select count(*) from job_run where job = 'extra' and status = 'succeeded'", 1)
        .await;
    assert_eq!(ask("jobs.runs", json!({"name": "extra"})).await[0]["run_id"], run["run_id"]);
    assert_eq!(
        ask("jobs.run", json!({"name": "scheduled_ingest_daily", "dry_run": true})).await["movies"],
        30
    );
    let past =
        json!({"name": "extra", "from": "2026-01-01T00:00:00Z", "to": "2026-01-01T02:00:00Z"});
    assert_eq!(ask("jobs.backfill", past).await.as_array().unwrap().len(), 3);
    world
        .until("select count(*) from job_run where job = 'extra' and trigger_type = 'backfill' and status = 'succeeded'", 3)
        .await;
    assert_eq!(ask("jobs.delete", json!({"name": "extra"})).await["deleted"], "extra");
    assert!(
        world.request("jobs.create", &made).await.unwrap_err().1.contains("deleted"),
        "a name is never given again"
    );
    assert_eq!(ask("jobs.lint", json!({})).await, json!([]));
    assert!(ask("jobs.hold", json!({"held": true, "note": "n"})).await["held"].is_string());
    assert!(ask("jobs.hold", json!({"held": false})).await["held"].is_null());
    assert!(ask("ingest", json!({"movies": [603]})).await["accepted"].is_array());
    world
        .until(
            "select count(*) from works where tmdb_id = '603' and ingestion_status = 'complete'",
            1,
        )
        .await;
    assert_eq!(ask("movie.get", json!({"tmdb_id": 603})).await["title"], "The Matrix");
    assert_eq!(ask("movie.history", json!({"tmdb_id": 603})).await[0]["kind"], "created");
    assert!(ask("refresh", json!({"movies": [603]})).await["accepted"].is_array());
    assert_eq!(world.request("movie.get", &json!({"tmdb_id": 1})).await.unwrap_err().0, 404);
    assert_eq!(ask("status", json!({})).await["titles"], 1);
    world.publish("movies.ingest.movie", b"{}").await;
    world.until("select count(*) from dead_letter", 1).await;
    let letter = ask("dead.list", json!({})).await[0]["id"].clone();
    assert_eq!(ask("dead.show", json!({"id": letter})).await["reason"], "invalid-payload");
    let again = ask("dead.replay", json!({"ids": [letter], "payload": {"tmdb_id": 550}})).await;
    assert!(again[0]["replayed_as"].is_string(), "{again}");
    assert_eq!(
        world.request("dead.drop", &json!({})).await.unwrap_err().0,
        400,
        "all has to be said"
    );
    assert_eq!(ask("dead.drop", json!({"all": true})).await["dropped"], 1);
    assert_eq!(world.request("jobs.list", &json!([1])).await.unwrap_err().0, 400);
}

/// Half-way through a run of 80 somebody cancels it: within two seconds nothing is asked for it any
/// more, and its rows add up.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_stops_asking_tmdb() {
    let sim = Sim::start(Options { credential: Some("sesame".to_owned()), ..Options::default() })
        .await
        .unwrap();
    let world = World::start_against("cancel", &sim, &[("TMDB_RATE", "10")]).await;
    let asked = || sim.control().stats().calls;
    world.verb(&["jobs", "run", "scheduled_ingest_weekly"]);
    world
        .until("select least(40, done) from job_run where job = 'scheduled_ingest_weekly'", 40)
        .await;
    let told = world.verb(&["jobs", "cancel", "scheduled_ingest_weekly", "--note", "wrong list"]);
    assert!(told.contains("left undone"), "{told}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let then = asked();
    // As long as the rest would have taken.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(asked(), then, "asked after two seconds");
    let sums = "select count(*) from job_run where job = 'scheduled_ingest_weekly' and status = 'cancelled' and pending = 0 and cancelled between 1 and 40
        and checked = skipped + done + failed + not_needed + cancelled and reason like 'cancelled by%: wrong list'
        and cancelled = (select count(*) from job_run_item i where i.run_id = job_run.run_id and i.state = 'cancelled')
        and done = (select count(*) from job_run_item i where i.run_id = job_run.run_id and i.state = 'done')";
    assert_eq!(world.one(sums).await, 1, "{}", world.verb(&["jobs", "runs"]));
    assert_eq!(
        world.one("select count(*) from scheduled_ingestion_log where movies_cancelled > 0 and error like '%wrong list'").await,
        1
    );
    world.until("select count(*) from outbox where subject = 'movies.run.scheduled_ingest_weekly' and payload ->> 'status' = 'cancelled'", 1).await;

    world.execute("update works set last_refreshed_at = now() - interval '200 days'").await;
    let calls = asked();
    world.verb(&["jobs", "run", "daily_refresh_enqueue"]);
    world.until("select least(5, done) from job_run where job = 'daily_refresh_enqueue'", 5).await;
    world
        .execute(
            "select mangoes_run_cancel(run_id) from job_run where job = 'daily_refresh_enqueue'",
        )
        .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let then = asked();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(asked() == then && then - calls < 40, "{calls} {then} {}", asked());
    world
        .until("select count(*) from refresh_queue where status in ('queued', 'processing')", 0)
        .await;
    assert_eq!(world.one("select count(*) from job_run where job = 'daily_refresh_enqueue' and checked = done + failed + cancelled and cancelled > 0").await, 1);
    assert_eq!(world.one("select count(*) from dead_letter").await, 0);
    // They are due all the same: the next scan finds them.
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    assert_eq!(world.one("select count(*) from works where due_at <= now()").await, 0);
}

/// What the broker lost and nobody carries ends as lost, and begins anew; what it still carries
/// does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_no_message_carries_is_lost_and_begins_anew() {
    let sim = Sim::start(Options { credential: Some("sesame".to_owned()), ..Options::default() })
        .await
        .unwrap();
    let world = World::start_against("lost", &sim, &[("TMDB_RATE", "10")]).await;
    world.verb(&["jobs", "set", "scheduled_ingest_daily", "--lost-after", "2"]);
    world.verb(&["jobs", "run", "scheduled_ingest_daily"]);
    world
        .until("select least(1, pending) from job_run where job = 'scheduled_ingest_daily'", 1)
        .await;
    sim.control().outage(Duration::from_secs(20));
    // Nothing happens to it, yet its messages wait: it is not lost.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(world.one("select count(*) from job_run where status = 'lost'").await, 0);
    world.jetstream("STREAM.PURGE.MOVIES_INGEST").await;
    world
        .until(
            "select count(*) from job_run where status = 'lost' and pending = 0 and failed > 0",
            1,
        )
        .await;
    world
        .until("select count(*) from job_run where job = 'scheduled_ingest_daily' and attempts = 2 and status = 'succeeded'", 1)
        .await;
    assert_eq!(
        world.one("select count(*) from works where ingestion_status = 'complete'").await,
        30
    );
}

/// What a run does that comes while another is not over, by each policy.
#[tokio::test]
async fn runs_that_overlap_do_as_the_policy_says() {
    let world = World::start("overlap").await;
    let busy = "insert into job_run (run_id, job, action, scheduled_for, trigger_type, status) values ('busy', 'maintenance', 'maintain', '2026-01-01', 'manual', 'running')";
    let runs = |status: &str| {
        format!(
            "select count(*) from job_run where job = 'maintenance' and run_id <> 'busy' and status = '{status}'"
        )
    };
    let policy = |p: &str| world.verb(&["jobs", "set", "maintenance", "--overlap-policy", p]);
    world.execute(busy).await;
    let told = world.verb_fails(&["jobs", "run", "maintenance"]);
    assert!(told.contains("busy is not over") && told.contains("--force"), "{told}");
    policy("queue_one");
    world.verb(&["jobs", "run", "maintenance"]);
    assert!(world.verb_fails(&["jobs", "run", "maintenance"]).contains("is not over"));
    assert_eq!(world.one(&runs("waiting")).await, 1);
    policy("queue_all");
    world.verb(&["jobs", "run", "maintenance"]);
    world.verb(&["jobs", "run", "maintenance"]);
    assert_eq!(world.one(&runs("waiting")).await, 3);
    policy("allow");
    world.verb(&["jobs", "run", "maintenance"]);
    world.until(&runs("succeeded"), 1).await;
    assert_eq!(world.one(&runs("waiting")).await, 3, "these wait for the one that is not over");
    policy("queue_all");
    world
        .execute("update job_run set status = 'succeeded', ended_at = now() where run_id = 'busy'")
        .await;
    world.until(&runs("succeeded"), 4).await;
    let together = "select count(*) from job_run a join job_run b on a.job = b.job and a.run_id < b.run_id and a.started_at < b.ended_at and b.started_at < a.ended_at
        where a.job = 'maintenance' and a.started_at is not null and b.started_at is not null";
    assert_eq!(world.one(together).await, 0, "one after the other");
    world.execute("delete from job_run where run_id = 'busy'").await;
    world.execute(busy).await;
    policy("cancel_other");
    world.verb(&["jobs", "run", "maintenance", "--follow"]);
    assert_eq!(
        world
            .one("select count(*) from job_run where run_id = 'busy' and status = 'cancelled'")
            .await,
        1
    );
}

/// Limits: so many runs and no more, not at excluded times, always equally late; overdue is said
/// once. Every event reads as its type.
#[tokio::test]
async fn limits_exclusions_jitter_and_the_dead_mans_switch() {
    let world = World::start("limits").await;
    let scan = |name: &'static str, more: &[&'static str]| {
        let args: Vec<&str> =
            ["jobs", "create", name, "--action", "scan", "--payload", r#"{"limit": 1}"#]
                .iter()
                .chain(more)
                .copied()
                .collect();
        world.verb(&args);
    };
    scan("thrice", &["--schedule", "every 1s", "--max-runs", "3", "--overlap-policy", "allow"]);
    scan("never", &["--schedule", "every 1s", "--except", "* * * * *"]);
    scan("late", &["--schedule", "every 2s", "--jitter", "3", "--overlap-policy", "allow"]);
    scan("dead-man", &["--schedule", "@yearly", "--overdue-after", "1"]);
    world
        .until("select count(*) from job_run where job = 'thrice' and status = 'succeeded'", 3)
        .await;
    world
        .until(
            "select least(4, count(*)) from job_run where job = 'never' and status = 'skipped' and reason like 'excluded by%'",
            4,
        )
        .await;
    world
        .until(
            "select least(6, count(*)) from job_run where job = 'late' and status = 'succeeded'",
            6,
        )
        .await;
    assert_eq!(world.one("select count(*) from job_run where job = 'thrice'").await, 3);
    assert!(world.verb(&["jobs", "list"]).contains("ended after 3 runs"));
    assert_eq!(
        world.one("select count(*) from job_run where job = 'never' and status <> 'skipped'").await,
        0
    );
    assert_eq!(
        world.one("select count(*) from job_run where job = 'late' and fired_at - scheduled_for > interval '6 seconds'").await,
        0
    );
    assert!(
        world.one("select count(*) from job_run where job = 'late' and fired_at - scheduled_for > interval '1.2 seconds'").await
            > 0
    );
    let overdue = "select count(*) from outbox where subject = 'movies.run.dead-man' and payload ->> 'status' = 'overdue'";
    world.until(overdue, 1).await;
    assert!(world.verb(&["jobs", "list"]).contains("OVERDUE"));
    world.verb(&["jobs", "run", "dead-man", "--follow"]);
    assert!(!world.verb(&["jobs", "show", "dead-man"]).contains("YES"));
    assert!(
        world
            .verb_fails(&["jobs", "set", "late", "--overlap-policy", "maybe"])
            .contains("queue_one")
    );
    let events: Vec<Value> =
        sqlx::query_scalar("select payload from outbox where subject like 'movies.run.%'")
            .fetch_all(&world.pool)
            .await
            .unwrap();
    for event in &events {
        serde_json::from_value::<RunEvent>(event.clone())
            .unwrap_or_else(|e| panic!("{e}: {event}"));
    }
    for status in ["started", "succeeded", "skipped", "overdue"] {
        assert!(events.iter().any(|e| e["status"] == status), "{status}");
    }
}
