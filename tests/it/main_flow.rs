//! The main job on real servers: ingest, scan, refresh, events.

use std::time::{Duration, Instant};

use serde_json::Value;
use tests::World;

/// The second run finds what the first brought, ingests nothing twice, and says how many it
/// skipped.
#[tokio::test]
async fn daily_ingest_twice_ingests_nothing_twice() {
    let world = World::start("twice").await;
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    assert_eq!(world.list_runs().of("mixed_daily").manual().await, 2);
    assert_eq!(world.list_runs().that_add_up().ingested(30).await, 2, "counts add up");
    assert!(world.list_runs().most_skipped().await >= 30);
    assert_eq!(world.movies().complete().await, 60);
    world.calls().for_movies().becomes(60).await;
    // One request per movie; calls are logged in batches, a moment later.
    world.most_calls_for_one_movie().becomes(1).await;
    for table in ["works_meta", "rating_sources", "aggregates", "work_cards_cache"] {
        assert_eq!(world.movies_with_rows_in(table).await, 60, "{table}");
    }
    world.all_published().await;
    assert_eq!(world.events("movies.refreshed.*").await, 60);
}

/// A movie can be refreshed again and again; the queue tells the truth each time.
#[tokio::test]
async fn ageing_a_movie_twice_refreshes_it_twice() {
    let world = World::start("ageing").await;
    world.verb(&["ingest", "--movie", "603", "--follow"]);
    for round in 1..=2 {
        world.age_all(100).await;
        assert_eq!(world.movies().stale().await, 1);
        world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
        assert_eq!(world.queue().completed().with_their_time().await, round);
    }
    assert_eq!(world.movies().stale().await, 0);
    assert_eq!(world.last_scans().await, 1);
    world.all_published().await;
    assert_eq!(world.events("movies.refreshed.603").await, 3);
}

/// By hand, without a header: a movie and a list.
#[tokio::test]
async fn publishing_by_hand_needs_no_header() {
    let world = World::start("by-hand").await;
    world.ingest(603).await;
    world.movie(603).titled("The Matrix").complete().becomes(1).await;
    world.events("movies.refreshed.603").published().becomes(1).await;
    world.ingest_list("popular", 40).await;
    world.list_runs().of("popular").manual().ingested(40).becomes(1).await;
    world.stale(603).await;
    world.events("movies.refreshed.603").published().becomes(2).await;
    assert_eq!(world.newest_event("movies.refreshed.603").await["outcome"], "unchanged");
    world.runs().open().becomes(0).await;
}

/// What an operator sees.
#[tokio::test]
async fn verbs_tell_the_state() {
    let world = World::start("verbs").await;
    let jobs = world.verb(&["jobs", "list"]);
    for job in [
        "scheduled_ingest_daily",
        "scheduled_ingest_weekly",
        "daily_refresh_enqueue",
        "refresh_worker",
    ] {
        assert!(jobs.contains(job), "{jobs}");
    }
    assert!(world.verb(&["topology", "--check"]).contains("as nats/*.json says"));
    world.verb(&["ingest", "--movie", "603", "550", "--follow"]);
    let movie: Value =
        serde_json::from_str(&world.verb(&["movie", "show", "603", "--json"])).unwrap();
    assert_eq!(
        (movie["title"].as_str(), movie["is_stale"].as_bool()),
        (Some("The Matrix"), Some(false))
    );
    world.titles_are_counted().await;
    assert!(world.verb(&["status"]).contains("Fresh: 100.0 % of 2 titles"));
    assert!(!world.verb(&["config"]).contains("postgres://"));
}

/// A consumer that was idle for longer than a pull reads the next message at once.
#[tokio::test]
async fn an_idle_consumer_is_prompt() {
    let world = World::start("idle").await;
    for (id, idle_secs) in [(603, 3), (550, 5)] {
        // The time is the case: nothing happens that could be waited for.
        tokio::time::sleep(Duration::from_secs(idle_secs)).await;
        let begun = Instant::now();
        world.ingest(id).await;
        world.complete(id).await;
        assert!(begun.elapsed().as_secs_f64() < 2.5, "after {idle_secs} s: {:?}", begun.elapsed());
    }
}

/// Messages that come together are claimed in one statement: several for one movie, and one for a
/// movie that the catalogue does not have, disturb no other.
#[tokio::test]
async fn messages_that_come_together_are_claimed_together() {
    let world = World::start("together").await;
    let movies = [603, 550, 13, 155];
    for id in movies {
        world.ingest(id).await;
    }
    world.all_complete(&movies).await;
    for _ in 0..10 {
        for id in movies {
            world.stale(id).await;
        }
        world.stale(1).await;
    }
    world.dead_letters().because("not-in-catalogue").becomes(10).await;
    world.nothing_left_in("MOVIES_STALE").await;
    assert_eq!(world.dead_letters().await, 10);
    assert_eq!(world.queue().ended().await, world.queue().completed().await);
    for id in movies {
        // The first answer, and that of one message at least.
        assert!(world.events(&format!("movies.refreshed.{id}")).await >= 2, "{id}");
    }
    world.all_published().await;
}
