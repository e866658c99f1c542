//! What the design that this one replaces got wrong, each a test by name, in the order of its list.

use serde_json::json;
use tests::{World, simulator};
use tmdb_sim::{Faults, Sim};

/// A world with a simulator of its own, one movie in its catalogue.
async fn with_the_matrix(name: &str) -> (Sim, World) {
    let sim = simulator().await;
    let world = World::start_against(name, &sim, &[("TMDB_RATE", "0")]).await;
    world.ingest(603).await;
    world.movies().complete().becomes(1).await;
    (sim, world)
}

/// 1 and 12: each mixed source fetches and logs; a run whose process dies has its log row all the
/// same.
#[tokio::test]
async fn mixed_sources_fetch_and_a_run_that_dies_leaves_its_log_row() {
    let world = World::start("old-1").await;
    for source in ["mixed_daily", "mixed_weekly"] {
        world.ingest_list(source, 3).await;
        let logged = world.list_runs().of(source).checked_at_least(3).ingested(3).without_error();
        logged.becomes(1).await;
    }
    world.ingest_list_as("dies", "popular", 60).await;
    world.run_with_id("dies").becomes(1).await;
    let world = World::start_in(world.kill().await).await;
    world.list_runs().of_run("dies").ingested(60).becomes(1).await;
}

/// 2: a movie whose refresh is finished can be queued again. 8: a forced refresh asks TMDB,
/// whatever is fresh or cached.
#[tokio::test(flavor = "multi_thread")]
async fn a_finished_movie_is_queued_again_and_a_forced_one_asks_tmdb() {
    let (sim, world) = with_the_matrix("old-2").await;
    for n in 1..=3 {
        world.age_all(200).await;
        world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
        assert_eq!(world.queue().completed().await, n);
    }
    let before = sim.control().stats().detail_calls;
    sim.control().edit(603, json!({"title": "The Matrix, again"}));
    world.verb(&["ingest", "--movie", "603", "--follow"]);
    assert_eq!(sim.control().stats().detail_calls, before, "it is fresh");
    world.verb(&["ingest", "--movie", "603", "--force", "--follow"]);
    assert_eq!(sim.control().stats().detail_calls, before + 1);
    assert_eq!(world.title(603).await, "The Matrix, again");
}

/// 3: a movie whose refresh failed comes back. 7: retries wait, each longer at most than the one
/// before, and are few.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_movie_comes_back_and_retries_wait() {
    let (sim, world) = with_the_matrix("old-3").await;
    sim.control().edit(603, json!({"id": 604}));
    world.stale(603).await;
    world.dead_letters().because("retries-exhausted").after_attempts(4).becomes(1).await;
    // Each attempt asks twice, and the first one is not counted: that it is this movie alone is not
    // known yet.
    world.calls().failed().becomes(10).await;
    let waited = world.failed_calls_after_a_gap_of_millis(200).await;
    assert_eq!(waited, 9, "no retry fires at once");
    assert_eq!(world.queue().failed().await, 1);
    sim.control().edit(603, json!({"id": 603}));
    world.age_all(200).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    assert_eq!(world.queue().await, 1, "it is left alone for a while");
    world.end_holds().await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    assert_eq!(world.queue().completed().await, 1);
}

/// 4: a hundred titles that TMDB has no more, the longest due of all, block nobody.
#[tokio::test(flavor = "multi_thread")]
async fn deleted_titles_at_the_head_block_nobody() {
    let (_sim, world) = with_the_matrix("old-4").await;
    world.add_a_hundred_deleted_movies().await;
    world.age_movie(603, 200).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue"]);
    world.movies().missing().becomes(100).await;
    world.run("daily_refresh_enqueue").ended().becomes(1).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    assert_eq!(world.movie(603).refreshed_within_hours(1).await, 1);
}

/// 5: of many workers one wins a movie. 6: what a dead worker left in `processing` is taken up.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_won_once_and_nothing_stays_in_processing() {
    let (sim, world) = with_the_matrix("old-5").await;
    let base = sim.base_url();
    let env = [("TMDB_BASE_URL", &*base), ("TMDB_TOKEN", "sesame"), ("TMDB_RATE", "0")];
    let _second = world.service(&["serve", "refresh"], &env);
    let calls = sim.control().stats().detail_calls;
    for _ in 0..5 {
        world.queue_all().await;
    }
    assert_eq!(world.queue().await, 1, "one open row per movie");
    world.verb(&["jobs", "run", "refresh_worker"]);
    world.queue().completed().becomes(1).await;
    assert_eq!(sim.control().stats().detail_calls, calls + 1);
    world.leave_all_to_dead_workers().await;
    world.verb(&["jobs", "run", "refresh_worker"]);
    world.queue().completed().becomes(2).await;
}

/// 9: what was never refreshed is stale. 10: `last_refreshed_at` moves with the work and not before
/// it.
#[tokio::test(flavor = "multi_thread")]
async fn never_refreshed_is_stale_and_the_time_is_set_with_the_work() {
    let (sim, world) = with_the_matrix("old-9").await;
    world.add_movie(550, "Fight Club").await;
    assert_eq!(world.stale_list().with_tmdb_id("550").await, 1);
    assert_eq!(world.movie(550).stale().await, 1);
    sim.control().configure(json!({"latency_min_ms": 1500})).unwrap();
    world.stale(550).await;
    world.queue().processing().becomes(1).await;
    assert_eq!(world.movie(550).never_refreshed().await, 1);
    world.movie(550).refreshed_with_its_answer().written_once().becomes(1).await;
}

/// 11: a part that failed or is empty never erases what is stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_part_erases_nothing() {
    let (sim, world) = with_the_matrix("old-11").await;
    assert_eq!(world.details().with_keywords_cast_and_poster().await, 1);
    let failed = json!({"success": false, "status_code": 11});
    sim.control().edit(
        603,
        json!({"keywords": failed, "credits": failed, "images": null, "tagline": "New"}),
    );
    world.stale(603).await;
    world.details().tagline("New").becomes(1).await;
    assert_eq!(world.details().with_keywords_cast_and_poster().await, 1);
}

/// 13: a time-out is no success, anywhere. 15: nothing found is a zero, not a null.
#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_is_no_success_and_nothing_is_zero() {
    const JOB: &str = "daily_refresh_enqueue";
    let (sim, world) = with_the_matrix("old-13").await;
    sim.control().fail(Faults { stall: 1.0, ..Faults::default() });
    world.age_all(200).await;
    world.verb(&["jobs", "run", JOB]);
    world.calls().unanswered().reaches(1).await;
    assert_eq!(world.movies().refreshed_within_hours(24).await, 0);
    assert_eq!(world.run(JOB).succeeded().await, 0);
    sim.control().fail(Faults::default());
    world.run(JOB).succeeds().await;
    world.verb(&["jobs", "run", JOB, "--follow"]);
    assert_eq!(world.run(JOB).that_found_nothing().succeeded().await, 1);
    world.verb(&["ingest", "--list", "popular", "--max", "1", "--follow"]);
    world.calls().to("/movie/popular").with_results().reaches(1).await;
    assert_eq!(world.list_runs().without_a_count().await, 0);
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
