//! What the design that this one replaces got wrong, each a test by name, in the order of its list.

use serde_json::json;
use tmdb_sim::{Faults, Options, Sim};

use crate::world::World;

const COMPLETE: &str = "select count(*) from works where ingestion_status = 'complete'";

/// A world with a simulator of its own, one movie in its catalogue.
async fn with_the_matrix(name: &str) -> (Sim, World) {
    let sim = Sim::start(Options { credential: Some("sesame".to_owned()), ..Options::default() })
        .await
        .unwrap();
    let world = World::start_against(name, &sim, &[("TMDB_RATE", "0")]).await;
    world.publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    world.until(COMPLETE, 1).await;
    (sim, world)
}

fn age(what: &str) -> String {
    format!(
        "update works set last_refreshed_at = now() - interval '200 days', fetched_at = now() - interval '200 days' where {what}"
    )
}

/// 1 and 12: each mixed source fetches and logs; a run whose process dies has its log row all the
/// same.
#[tokio::test]
async fn mixed_sources_fetch_and_a_run_that_dies_leaves_its_log_row() {
    let world = World::start("old-1").await;
    for (source, max) in [("mixed_daily", 3), ("mixed_weekly", 3)] {
        world
            .publish(
                "movies.ingest.list",
                json!({"source": source, "max_movies": max}).to_string().as_bytes(),
            )
            .await;
        let logged = format!(
            "select count(*) from scheduled_ingestion_log where source = '{source}' and movies_checked >= 3 and movies_ingested = 3 and error is null"
        );
        world.until(&logged, 1).await;
    }
    world
        .publish(
            "movies.ingest.list",
            br#"{"source": "popular", "max_movies": 60, "run_id": "dies"}"#,
        )
        .await;
    world.until("select count(*) from job_run where run_id = 'dies'", 1).await;
    let world = World::start_in(world.kill().await).await;
    world.until("select count(*) from scheduled_ingestion_log where run_id = 'dies' and movies_ingested = 60", 1).await;
}

/// 2: a movie whose refresh is finished can be queued again. 8: a forced refresh asks TMDB,
/// whatever is fresh or cached.
#[tokio::test(flavor = "multi_thread")]
async fn a_finished_movie_is_queued_again_and_a_forced_one_asks_tmdb() {
    let (sim, world) = with_the_matrix("old-2").await;
    for n in 1..=3 {
        world.execute(&age("true")).await;
        world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
        assert_eq!(
            world.one("select count(*) from refresh_queue where status = 'completed'").await,
            n
        );
    }
    let before = sim.control().stats().detail_calls;
    sim.control().edit(603, json!({"title": "The Matrix, again"}));
    world.verb(&["ingest", "--movie", "603", "--follow"]);
    assert_eq!(sim.control().stats().detail_calls, before, "it is fresh");
    world.verb(&["ingest", "--movie", "603", "--force", "--follow"]);
    assert_eq!(sim.control().stats().detail_calls, before + 1);
    assert_eq!(world.text("select title from works").await, "The Matrix, again");
}

/// 3: a movie whose refresh failed comes back. 7: retries wait, each longer at most than the one
/// before, and are few.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_movie_comes_back_and_retries_wait() {
    let (sim, world) = with_the_matrix("old-3").await;
    sim.control().edit(603, json!({"id": 604}));
    world.publish("movies.stale.now", br#"{"tmdb_id": 603}"#).await;
    world
        .until(
            "select count(*) from dead_letter where reason = 'retries-exhausted' and tries = 4",
            1,
        )
        .await;
    let gaps = "select count(*) from (select created_at - lag(created_at) over (order by created_at) as gap from tmdb_api_logs where error_message is not null) g where gap >= interval '200 milliseconds'";
    world.until("select count(*) from tmdb_api_logs where error_message is not null", 4).await;
    assert_eq!(world.one(gaps).await, 3, "no retry fires at once");
    assert_eq!(world.one("select count(*) from refresh_queue where status = 'failed'").await, 1);
    sim.control().edit(603, json!({"id": 603}));
    world.execute(&age("true")).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    assert_eq!(
        world.one("select count(*) from refresh_queue").await,
        1,
        "it is left alone for a while"
    );
    world.execute("update works set hold_until = now() - interval '1 second'").await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    assert_eq!(world.one("select count(*) from refresh_queue where status = 'completed'").await, 1);
}

/// 4: a hundred titles that TMDB has no more, the longest due of all, block nobody.
#[tokio::test(flavor = "multi_thread")]
async fn deleted_titles_at_the_head_block_nobody() {
    let (_sim, world) = with_the_matrix("old-4").await;
    world.execute("insert into works (tmdb_id, title, ingestion_status, last_refreshed_at) select (800000000 + n)::text, 'gone', 'complete', now() - interval '9 years' from generate_series(1, 100) n").await;
    world.execute(&age("tmdb_id = '603'")).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue"]);
    world.until("select count(*) from works where missing_since is not null", 100).await;
    world.until("select count(*) from job_run where job = 'daily_refresh_enqueue' and ended_at is not null", 1).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    assert_eq!(
        world.one("select count(*) from works where tmdb_id = '603' and last_refreshed_at > now() - interval '1 hour'").await,
        1
    );
}

/// 5: of many workers one wins a movie. 6: what a dead worker left in `processing` is taken up.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_won_once_and_nothing_stays_in_processing() {
    let (sim, world) = with_the_matrix("old-5").await;
    let base = sim.base_url();
    let _second = world.service(
        &["serve", "refresh"],
        &[("TMDB_BASE_URL", &base), ("TMDB_TOKEN", "sesame"), ("TMDB_RATE", "0")],
    );
    let calls = sim.control().stats().detail_calls;
    for _ in 0..5 {
        world
            .execute("insert into refresh_queue (work_id, status) select work_id, 'queued' from works on conflict do nothing")
            .await;
    }
    assert_eq!(world.one("select count(*) from refresh_queue").await, 1, "one open row per movie");
    world.verb(&["jobs", "run", "refresh_worker"]);
    world.until("select count(*) from refresh_queue where status = 'completed'", 1).await;
    assert_eq!(sim.control().stats().detail_calls, calls + 1);
    world.execute("insert into refresh_queue (work_id, status, lease_until) select work_id, 'processing', now() - interval '1 second' from works").await;
    world.verb(&["jobs", "run", "refresh_worker"]);
    world.until("select count(*) from refresh_queue where status = 'completed'", 2).await;
}

/// 9: what was never refreshed is stale. 10: `last_refreshed_at` moves with the work and not before
/// it.
#[tokio::test(flavor = "multi_thread")]
async fn never_refreshed_is_stale_and_the_time_is_set_with_the_work() {
    let (sim, world) = with_the_matrix("old-9").await;
    world.execute("insert into works (tmdb_id, title) values ('550', 'Fight Club')").await;
    assert_eq!(
        world.one("select count(*) from get_stale_movies(10) where tmdb_id = '550'").await,
        1
    );
    assert_eq!(
        world.one("select count(*) from works where is_stale(work_id) and tmdb_id = '550'").await,
        1
    );
    sim.control().configure(json!({"latency_min_ms": 1500})).unwrap();
    world.publish("movies.stale.now", br#"{"tmdb_id": 550}"#).await;
    world.until("select count(*) from refresh_queue where status = 'processing'", 1).await;
    assert_eq!(
        world
            .one("select count(*) from works where tmdb_id = '550' and last_refreshed_at is null")
            .await,
        1
    );
    world.until("select count(*) from works where tmdb_id = '550' and last_refreshed_at = fetched_at and revision = 1", 1).await;
}

/// 11: a part that failed or is empty never erases what is stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_part_erases_nothing() {
    let (sim, world) = with_the_matrix("old-11").await;
    let whole = "select count(*) from works_meta where array_length(keywords, 1) > 0 and jsonb_array_length(cast_members) > 0 and poster_url_large is not null";
    assert_eq!(world.one(whole).await, 1);
    let failed = json!({"success": false, "status_code": 11});
    sim.control().edit(
        603,
        json!({"keywords": failed, "credits": failed, "images": null, "tagline": "New"}),
    );
    world.publish("movies.stale.now", br#"{"tmdb_id": 603}"#).await;
    world.until("select count(*) from works_meta where tagline = 'New'", 1).await;
    assert_eq!(world.one(whole).await, 1);
}

/// 13: a time-out is no success, anywhere. 15: nothing found is a zero, not a null.
#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_is_no_success_and_nothing_is_zero() {
    let (sim, world) = with_the_matrix("old-13").await;
    sim.control().fail(Faults { stall: 1.0, ..Faults::default() });
    world.execute(&age("true")).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue"]);
    world.until("select least(1, count(*)) from tmdb_api_logs where http_status is null and error_message is not null", 1).await;
    assert_eq!(
        world
            .one("select count(*) from works where last_refreshed_at > now() - interval '1 day'")
            .await,
        0
    );
    assert_eq!(world.one("select count(*) from job_run where job = 'daily_refresh_enqueue' and status = 'succeeded'").await, 0);
    sim.control().fail(Faults::default());
    world.until("select count(*) from job_run where job = 'daily_refresh_enqueue' and status = 'succeeded'", 1).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    assert_eq!(world.one("select count(*) from job_run where job = 'daily_refresh_enqueue' and checked = 0 and done = 0 and status = 'succeeded'").await, 1);
    world.verb(&["ingest", "--list", "popular", "--max", "1", "--follow"]);
    world.until("select least(1, count(*)) from tmdb_api_logs where endpoint = '/movie/popular' and results_count > 0", 1).await;
    assert_eq!(
        world.one("select count(*) from scheduled_ingestion_log where movies_failed is null or movies_skipped is null").await,
        0
    );
}

/// 14: three in the morning stays three in the morning, all year.
#[tokio::test]
async fn daylight_saving_moves_nothing() {
    let world = World::start("old-14").await;
    world.verb(&[
        "jobs",
        "set",
        "scheduled_ingest_daily",
        "--schedule",
        "0 3 * * *",
        "--timezone",
        "America/Los_Angeles",
    ]);
    let year = world.verb(&["jobs", "next", "scheduled_ingest_daily", "-n", "366"]);
    assert_eq!(year.matches(" 03:00:00 P").count(), 366, "{year}");
    assert!(year.contains("T10:00:00Z") && year.contains("T11:00:00Z"), "{year}");
}
