//! The main job on real servers: ingest, scan, refresh, events.

use crate::world::World;

const OPEN_RUNS: &str = "select count(*) from job_run where status in ('queued', 'running')";
const UNSENT: &str = "select count(*) from outbox where published_at is null";

/// The second run finds what the first brought, ingests nothing twice, and says how many it
/// skipped.
#[tokio::test]
async fn daily_ingest_twice_ingests_nothing_twice() {
    let world = World::start("twice").await;
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    let log = "select count(*) from scheduled_ingestion_log where trigger_type = 'manual' and source = 'mixed_daily'";
    assert_eq!(world.one(log).await, 2);
    let sum = "select count(*) from scheduled_ingestion_log
        where movies_checked = movies_skipped + movies_ingested + movies_failed + movies_not_needed and movies_ingested = 30";
    assert_eq!(world.one(sum).await, 2, "counts add up");
    assert!(
        world.one("select max(movies_skipped)::bigint from scheduled_ingestion_log").await >= 30
    );
    assert_eq!(
        world.one("select count(*) from works where ingestion_status = 'complete'").await,
        60
    );
    let per_movie = "select coalesce(max(n), 0) from (select count(*) as n from tmdb_api_logs where tmdb_id is not null group by tmdb_id) x";
    world.until("select count(*) from tmdb_api_logs where tmdb_id is not null", 60).await;
    assert_eq!(world.one(per_movie).await, 1, "one request per movie");
    for table in ["works_meta", "rating_sources", "aggregates", "work_cards_cache"] {
        assert_eq!(
            world.one(&format!("select count(distinct work_id) from {table}")).await,
            60,
            "{table}"
        );
    }
    world.until(UNSENT, 0).await;
    assert_eq!(
        world.one("select count(*) from outbox where subject like 'movies.refreshed.%'").await,
        60
    );
}

/// A movie can be refreshed again and again; the queue tells the truth each time.
#[tokio::test]
async fn ageing_a_movie_twice_refreshes_it_twice() {
    let world = World::start("ageing").await;
    world.verb(&["ingest", "--movie", "603", "--follow"]);
    for round in 1..=2 {
        world
            .execute("update works set last_refreshed_at = now() - interval '100 days', fetched_at = now() - interval '100 days'")
            .await;
        assert_eq!(world.one("select count(*) from works where is_stale(work_id)").await, 1);
        world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
        assert_eq!(
            world.one("select count(*) from refresh_queue where status = 'completed' and processed_at is not null").await,
            round
        );
    }
    assert_eq!(world.one("select count(*) from works where is_stale(work_id)").await, 0);
    assert_eq!(
        world.one("select count(*) from sync_state where sync_type = 'daily_refresh_stale' and last_sync_at is not null").await,
        1
    );
    world.until(UNSENT, 0).await;
    assert_eq!(
        world.one("select count(*) from outbox where subject = 'movies.refreshed.603'").await,
        3
    );
}

/// By hand, without a header: a movie and a list.
#[tokio::test]
async fn publishing_by_hand_needs_no_header() {
    let world = World::start("by-hand").await;
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    world
        .until("select count(*) from works where tmdb_id = '603' and title = 'The Matrix' and ingestion_status = 'complete'", 1)
        .await;
    world.until("select count(*) from outbox where subject = 'movies.refreshed.603' and published_at is not null", 1).await;
    world.publish("movies.ingest.list", br#"{"source": "popular", "max_movies": 40}"#).await;
    let log = "select count(*) from scheduled_ingestion_log where trigger_type = 'manual' and source = 'popular' and movies_ingested = 40";
    world.until(log, 1).await;
    world.publish("movies.stale.now", br#"{"tmdb_id": 603}"#).await;
    world.until("select count(*) from outbox where subject = 'movies.refreshed.603' and published_at is not null", 2).await;
    let outcome = "select payload ->> 'outcome' from outbox where subject = 'movies.refreshed.603' order by id desc limit 1";
    assert_eq!(world.text(outcome).await, "unchanged");
    world.until(OPEN_RUNS, 0).await;
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
    let movie: serde_json::Value =
        serde_json::from_str(&world.verb(&["movie", "show", "603", "--json"])).unwrap();
    assert_eq!(
        (movie["title"].as_str(), movie["is_stale"].as_bool()),
        (Some("The Matrix"), Some(false))
    );
    assert!(world.verb(&["status"]).contains("Fresh: 100.0 % of 2 titles"));
    assert!(!world.verb(&["config"]).contains("postgres://"));
}

/// A consumer that was idle for longer than a pull reads the next message at once.
#[tokio::test]
async fn an_idle_consumer_is_prompt() {
    let world = World::start("idle").await;
    for (id, idle_secs) in [(603, 3), (550, 5)] {
        // The time is the case: nothing happens that could be waited for.
        tokio::time::sleep(std::time::Duration::from_secs(idle_secs)).await;
        let begun = std::time::Instant::now();
        world.publish("movies.ingest.movie", format!(r#"{{"tmdb_id": {id}}}"#).as_bytes()).await;
        world.until(&format!("select count(*) from works where tmdb_id = '{id}' and ingestion_status = 'complete'"), 1).await;
        assert!(begun.elapsed().as_secs_f64() < 2.5, "after {idle_secs} s: {:?}", begun.elapsed());
    }
}
