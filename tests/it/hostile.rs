//! What should not come and comes all the same: it harms itself alone.

use std::sync::Arc;

use catalogue::{Body, Look, MapOptions};
use delivery::{Ledger, MessageRef};
use proto::MessageKey;
use runtime::Secret;
use serde_json::json;
use store::{MissingMovie, NotFoundUpstream, Save, Saved, Store};
use tests::World;

/// Headers that the server stores and the client library cannot read. The second ends the library's
/// task: the process ends itself and finds the message at its next start.
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_cannot_be_read_become_dead_letters() {
    let mut world = World::start("headers").await;
    let no_utf_8 = b"NATS/1.0\r\nX-User: Jos\xe9\r\n\r\n";
    world.publish_raw("movies.ingest.movie", no_utf_8, br#"{"tmdb_id": 550}"#).await;
    assert!(world.lives_until_a_dead_letter().await, "the process ended");
    world.dead_letters().because("unreadable-headers").saying("UTF-8").becomes(1).await;
    assert!(world.verb(&["dead", "drop", "--all"]).contains("1 dead letter"));

    let a_lone_return = b"NATS/1.0\r\nNats-Msg-Id: cr\r\nX: a\rb\r\n\r\n";
    world.publish_raw("movies.ingest.movie", a_lone_return, br#"{"tmdb_id": 550}"#).await;
    let mut ends = 0;
    while !world.lives_until_a_dead_letter().await {
        ends += 1;
        assert!(ends < 3, "it ends for ever");
        assert!(world.log().contains("only a restart helps"), "{}", world.log());
        world = World::start_in(world.kill().await).await;
    }
    world.dead_letters().because("unreadable-headers").saying("UTF-8").becomes(1).await;
    world.ingest(603).await;
    world.complete(603).await;
    assert_eq!(world.movies().await, 1, "what became a dead letter was not done");
}

/// Rows of the outbox that no stream takes become dead letters; those behind them go out.
#[tokio::test]
async fn what_no_stream_takes_holds_nobody_up() {
    let world = World::start("unpublishable").await;
    world.add_to_outbox("movies.run.one", "a\nb", &json!({})).await;
    world.add_to_outbox("movies.run.a.b", "two tokens", &json!({})).await;
    world.add_to_outbox("movies.run.one", "good", &json!({})).await;
    world.dead_letters().because("not-publishable").becomes(2).await;
    world.all_published().await;
    world.ingest(603).await;
    world.events("movies.refreshed.603").published().becomes(1).await;
    assert_eq!(
        world.messages("MOVIES_DEAD").await,
        2,
        "dead letters go out whatever their message was called"
    );
    assert_eq!(world.events("movies.run.one").with_id("good").published().await, 1);
}

/// A list is replayed as a run of its own; a tick's run is over, and the verb says what to do
/// instead.
#[tokio::test]
async fn letters_of_lists_and_ticks_are_replayed_or_say_how() {
    let world = World::start("replay-runs").await;
    world.ingest_list_as("mine", "popular", 0).await;
    let tick = json!({
        "job": "refresh_worker",
        "action": "refresh",
        "scheduled_for": "2026-11-24T11:00:00Z",
        "fired_at": "2026-11-24T11:00:00Z",
        "trigger_type": "manual",
        "run_id": "by-hand",
        "payload": {"max_items": 0},
    });
    world.publish_json("movies.tick.refresh.refresh_worker", tick).await;
    world.dead_letters().becomes(2).await;
    let list = world.dead_letters().of("ingest-list").id().await.to_string();
    let tick = world.dead_letters().of("ticks-refresh").id().await.to_string();
    let mended = r#"{"source": "popular", "max_movies": 2, "run_id": "mine"}"#;
    world.verb(&["dead", "replay", &list, "--payload", mended]);
    world.list_runs().of("popular").ingested(2).becomes(1).await;
    let told = world.verb_fails(&["dead", "replay", &tick]);
    assert!(told.contains("mangoes jobs run refresh_worker"), "{told}");
}

/// Instants that no table of people can show are refused where they are set.
#[tokio::test]
async fn a_job_cannot_be_paused_until_infinity() {
    let world = World::start("infinity").await;
    let paused = world.try_pause_until("maintenance", "for ever", "infinity").await;
    assert!(paused.unwrap_err().contains("job_instants_are_finite"));
    assert!(world.verb(&["jobs", "list"]).contains("maintenance"));
}

/// Of two answers the one that was asked for later wins, also where the other is a 404 that arrives
/// late.
#[tokio::test]
async fn a_late_404_changes_nothing() {
    let world = World::start("late-404").await;
    world.ingest(603).await;
    world.movies().complete().becomes(1).await;
    world.begin_all().await;
    let store = Store::connect(&Secret::new(world.database_url.clone()), "late", 2).await.unwrap();
    let now = tests::now();
    let gone = |asked_at| NotFoundUpstream {
        movie: 603.try_into().unwrap(),
        cause: "test",
        run_id: None,
        asked_at,
        survivor: None,
        trace: None,
    };
    let missing = async |key, asked_at| {
        let message = MessageRef { consumer: "refresh-now", key: MessageKey::new(key) };
        store.missing(&message, gone(asked_at)).await.unwrap()
    };
    assert_eq!(missing("late", now - time::Duration::HOUR).await, MissingMovie::Overtaken);
    assert_eq!(world.movies().missing_or_held().await, 0);
    assert_eq!(world.queue().completed().await, 1);
    assert_eq!(missing("new", now).await, MissingMovie::Remembered);
    assert_eq!(world.movies().missing_or_held().await, 1, "it is remembered");
    world.forget_the_404s().await;
    assert_eq!(missing("new", now).await, MissingMovie::Remembered);
    assert_eq!(world.movies().missing_or_held().await, 0, "a redelivery marks nothing again");
}

/// An attempt that ended without a word, because the database was away when it was to be recorded,
/// is no death of its process: else an outage would make suspects of good messages, and in the end
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
    world.connections_of("other").becomes(0).await;
    assert_eq!(crashed(&one).await, 1, "its process is gone");
    assert_eq!(crashed(&one).await, 1);
}

/// Two consumers may know two messages by the same key: that one was handled before says nothing
/// about the other, also in one batch of the writer.
#[tokio::test]
async fn the_same_key_at_two_consumers_is_two_messages() {
    let world = World::start("one-key").await;
    let store = Store::connect(&Secret::new(world.database_url.clone()), "key", 2).await.unwrap();
    let options = Arc::new(MapOptions {
        language: "en-US".to_owned(),
        region: "US".to_owned(),
        streaming_regions: Vec::new(),
    });
    let look = |tmdb_id: i64| {
        let text = json!({ "id": tmdb_id, "title": "The Matrix" }).to_string();
        Look::read(Body { text, packed: None }, Arc::clone(&options)).unwrap()
    };
    let save = |consumer, tmdb_id| Save {
        message: MessageRef { consumer, key: MessageKey::new("key") },
        look: look(tmdb_id),
        fetched_at: tests::now(),
        cause: "test".to_owned(),
        run_id: None,
        trace: None,
        adds: true,
    };
    let created = Saved::Stored(proto::RefreshOutcome::Created);
    assert_eq!(store.save(&[save("refresh-now", 603)]).await.unwrap(), [created]);
    let both = [save("refresh-now", 604), save("ingest-movie", 605)];
    assert_eq!(store.save(&both).await.unwrap(), [Saved::Duplicate, created]);
    assert_eq!(world.movie(604).await, 0);
}

/// A row of the queue that cannot be read, because a later version wrote it, stops no other row,
/// also where it comes first.
#[tokio::test]
async fn an_unreadable_row_of_the_queue_fails_alone() {
    let world = World::start("unreadable-row").await;
    for id in [603, 550] {
        world.ingest(id).await;
        world.complete(id).await;
    }
    world.queue_in_an_unknown_lane(603).await;
    world.queue_title("Fight Club").await;
    let told = world.verb(&["jobs", "run", "refresh_worker", "--follow"]);
    assert!(told.contains("succeeded"), "{told}");
    assert_eq!(world.queue().failed().saying("unreadable lane").await, 1);
    world.queue().completed().becomes(1).await;
}

/// A hundred thousand movies asked for by hand at once are taken, and hold up no job: the items of
/// a run come by a queue of their own, and their lane has its share of the calls.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_by_hand_holds_up_no_job() {
    const FLOOD: i64 = 100_000;
    let sim = tests::simulator().await;
    let world = World::start_against("flood", &sim, &[("TMDB_RATE", "40")]).await;
    let messages = (1..=FLOOD).map(|id| format!("{{\"tmdb_id\":{id}}}"));
    world.flood("movies.ingest.movie", messages).await;
    let begun = std::time::Instant::now();
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    let took = begun.elapsed();
    let left = world.messages("MOVIES_INGEST").await;
    println!("the daily run took {took:?} while {left} messages were waiting");
    assert!(left > FLOOD * 8 / 10, "{left} of the flood are left: it was over");
    assert!(took < std::time::Duration::from_secs(60), "{took:?}");
}
