//! What should not come and comes all the same: it harms itself alone.

use std::time::Duration;

use delivery::Ledger;

use proto::MessageKey;
use runtime::{Clock, Secret, SystemClock};
use serde_json::json;
use store::{MissingMovie, NotFoundUpstream, Save, Saved, Store};
use tests::message;

use crate::world::World;

/// Headers that the server stores and the client library cannot read. The second ends the library's
/// task: the process ends itself and finds the message at its next start.
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_cannot_be_read_become_dead_letters() {
    let mut world = World::start("headers").await;
    world
        .publish_raw(
            "movies.ingest.movie",
            b"NATS/1.0\r\nX-User: Jos\xe9\r\n\r\n",
            br#"{"tmdb_id": 550}"#,
        )
        .await;
    assert!(world.buried_within(Duration::from_secs(60)).await, "the process ended");
    let letters = "select count(*) from dead_letter where reason = 'unreadable-headers' and error like '%UTF-8%'";
    world.until(letters, 1).await;
    assert!(world.verb(&["dead", "drop", "--all"]).contains("1 dead letter"));

    world
        .publish_raw(
            "movies.ingest.movie",
            b"NATS/1.0\r\nNats-Msg-Id: cr\r\nX: a\rb\r\n\r\n",
            br#"{"tmdb_id": 550}"#,
        )
        .await;
    let mut ends = 0;
    while !world.buried_within(Duration::from_secs(60)).await {
        ends += 1;
        assert!(ends < 3, "it ends for ever");
        assert!(world.log().contains("only a new start helps"), "{}", world.log());
        world = World::start_in(world.kill().await).await;
    }
    world.until(letters, 1).await;
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    world
        .until(
            "select count(*) from works where tmdb_id = '603' and ingestion_status = 'complete'",
            1,
        )
        .await;
    assert_eq!(world.one("select count(*) from works").await, 1, "what was buried was not done");
}

/// Rows of the outbox that no stream takes become dead letters; those behind them go out.
#[tokio::test]
async fn what_no_stream_takes_holds_nobody_up() {
    let world = World::start("unpublishable").await;
    let row = |subject: &str, id: &str, key: &str| {
        format!(
            "insert into outbox (subject, message_id, ordering_key, headers, payload) values ('{subject}', {id}, '{key}', '{{}}', '{{}}')"
        )
    };
    world.execute(&row("movies.run.one", r"E'a\nb'", "one")).await;
    world.execute(&row("movies.run.a.b", "'two tokens'", "one")).await;
    world.execute(&row("movies.run.one", "'good'", "one")).await;
    world.until("select count(*) from dead_letter where reason = 'not-publishable'", 2).await;
    world.until("select count(*) from outbox where published_at is null", 0).await;
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    world.until("select count(*) from outbox where subject = 'movies.refreshed.603' and published_at is not null", 1).await;
    assert_eq!(
        world.messages("MOVIES_DEAD").await,
        2,
        "letters go out whatever their message was called"
    );
    assert_eq!(
        world
            .one(
                "select count(*) from outbox where message_id = 'good' and published_at is not null"
            )
            .await,
        1
    );
}

/// A list is replayed as a run of its own; a tick's run is over, and the verb says what to do
/// instead.
#[tokio::test]
async fn letters_of_lists_and_ticks_are_replayed_or_say_how() {
    let world = World::start("replay-runs").await;
    world
        .publish(
            "movies.ingest.list",
            br#"{"source": "popular", "max_movies": 0, "run_id": "mine"}"#,
        )
        .await;
    let tick = json!({"job": "refresh_worker", "action": "refresh", "scheduled_for": "2026-11-24T11:00:00Z", "fired_at": "2026-11-24T11:00:00Z",
        "trigger_type": "manual", "run_id": "by-hand", "payload": {"max_items": 0}});
    world.publish("movies.tick.refresh.refresh_worker", tick.to_string().as_bytes()).await;
    world.until("select count(*) from dead_letter", 2).await;
    let id = async |consumer: &str| {
        world
            .one(&format!("select id from dead_letter where consumer = '{consumer}'"))
            .await
            .to_string()
    };
    let (list, tick) = (id("ingest-list").await, id("ticks-refresh").await);
    let mended = r#"{"source": "popular", "max_movies": 2, "run_id": "mine"}"#;
    world.verb(&["dead", "replay", &list, "--payload", mended]);
    world.until("select count(*) from scheduled_ingestion_log where source = 'popular' and movies_ingested = 2", 1).await;
    let told = world.verb_fails(&["dead", "replay", &tick]);
    assert!(told.contains("mangoes jobs run refresh_worker"), "{told}");
}

/// Instants that no table of people can show are refused where they are set.
#[tokio::test]
async fn a_job_cannot_be_paused_until_infinity() {
    let world = World::start("infinity").await;
    let paused = sqlx::query("select mangoes_job_pause('maintenance', 'for ever', 'infinity')")
        .execute(&world.pool)
        .await;
    assert!(paused.unwrap_err().to_string().contains("job_instants_are_finite"));
    assert!(world.verb(&["jobs", "list"]).contains("maintenance"));
}

/// Of two answers the one that was asked for later wins, also where the other is a 404 that arrives
/// late.
#[tokio::test]
async fn a_late_404_changes_nothing() {
    let world = World::start("late-404").await;
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    world.until("select count(*) from works where ingestion_status = 'complete'", 1).await;
    world.execute("insert into refresh_queue (work_id, tmdb_id, status) select work_id, 603, 'processing' from works").await;
    let store = Store::connect(&Secret::new(world.database_url.clone()), "late", 2).await.unwrap();
    let now = SystemClock.now();
    let gone = |asked_at| NotFoundUpstream {
        movie: 603.try_into().unwrap(),
        cause: "test",
        run_id: None,
        asked_at,
        survivor: None,
    };
    let missing = async |key, asked_at| {
        store.missing(&message("refresh-now", key), gone(asked_at)).await.unwrap()
    };
    let counted =
        "select count(*) from works where missing_since is not null or hold_until is not null";
    assert_eq!(missing("late", now - time::Duration::HOUR).await, MissingMovie::Overtaken);
    assert_eq!(world.one(counted).await, 0);
    assert_eq!(world.one("select count(*) from refresh_queue where status = 'completed'").await, 1);
    assert_eq!(missing("new", now).await, MissingMovie::Remembered);
    assert_eq!(world.one(counted).await, 1, "it is remembered");
}

/// A try that ended without a word, because the database was away when it was to be told, is no
/// death of its process: else an outage would make suspects of good messages, and in the end
/// poison.
#[tokio::test]
async fn a_try_whose_process_lives_did_not_die() {
    let world = World::start("brown-out").await;
    let url = Secret::new(world.database_url.clone());
    let connect = async |name| Store::connect(&url, name, 2).await.unwrap();
    let (one, other) = (connect("one").await, connect("other").await);
    let crashed = async |store: &Store| {
        store.begin("ingest-movie", &[MessageKey::new("key")]).await.unwrap()[0].crashed
    };
    for store in [&one, &one, &other, &one, &other] {
        assert_eq!(crashed(store).await, 0);
    }
    other.close().await;
    world
        .until("select count(*) from pg_stat_activity where application_name like 'other %'", 0)
        .await;
    assert_eq!(crashed(&one).await, 1, "its process is gone");
    assert_eq!(crashed(&one).await, 1);
}

/// Two consumers may know two messages by the same key: that one was handled before says nothing
/// about the other, also in one batch of the writer.
#[tokio::test]
async fn the_same_key_at_two_consumers_is_two_messages() {
    let world = World::start("one-key").await;
    let store = Store::connect(&Secret::new(world.database_url.clone()), "key", 2).await.unwrap();
    let save = |consumer, tmdb_id| Save {
        message: message(consumer, "key"),
        movie: serde_json::from_value(json!({
            "tmdb_id": tmdb_id,
            "title": "The Matrix",
            "rating": { "vote_average": null, "vote_count": 0 },
            "popularity": 1.0,
        }))
        .unwrap(),
        fetched_at: SystemClock.now(),
        cause: "test".to_owned(),
        run_id: None,
    };
    let created = Saved::Stored(proto::RefreshOutcome::Created);
    assert_eq!(store.save(&[save("refresh-now", 603)]).await.unwrap(), [created]);
    let both = [save("refresh-now", 604), save("ingest-movie", 605)];
    assert_eq!(store.save(&both).await.unwrap(), [Saved::Duplicate, created]);
    assert_eq!(world.one("select count(*) from works where tmdb_id = '604'").await, 0);
}
