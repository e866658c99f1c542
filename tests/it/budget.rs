//! One budget for all processes: together they use it, together they keep to it, and a share that a
//! dead one leaves is taken over.

use std::time::{Duration, Instant};

use tmdb_sim::{Options, Sim};

use crate::world::{PATIENCE, Service, World};

const RATE: f64 = 40.0;
/// Seconds over which the rate is measured; `MANGOES_BUDGET_SECS=60` measures a minute.
const MEASURED_SECS: u64 = 12;

fn measured() -> Duration {
    let secs = std::env::var("MANGOES_BUDGET_SECS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(MEASURED_SECS);
    Duration::from_secs(secs)
}

/// Calls per second over a span, as the simulator counts them.
async fn rate_over(sim: &Sim, span: Duration) -> f64 {
    let (before, begun) = (sim.control().stats().calls, Instant::now());
    tokio::time::sleep(span).await;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
    let calls = (sim.control().stats().calls - before) as f64;
    calls / begun.elapsed().as_secs_f64()
}

fn refused(sim: &Sim) -> u64 {
    sim.control().stats().by_status.get(&429).copied().unwrap_or(0)
}

/// Old movies that were never read: due, and of the bulk lane.
async fn work(world: &World, movies: u32) {
    let rows = format!("generate_series(1001, {}) n", 1_000 + movies);
    world
        .execute(&format!(
            "insert into works (tmdb_id, title, release_date) select n::text, 'TMDB ' || n, '1999-12-31' from {rows}"
        ))
        .await;
    world.verb(&[
        "jobs",
        "run",
        "daily_refresh_enqueue",
        "--payload",
        &format!(r#"{{"limit": {movies}}}"#),
    ]);
}

/// Three processes at 40 calls a second against a TMDB that refuses more than 50 in any second.
#[tokio::test(flavor = "multi_thread")]
async fn three_processes_share_one_rate() {
    let sim = Sim::start(Options { rate_limit: 50, movies: 100_000, ..Options::default() })
        .await
        .unwrap();
    let base = sim.base_url();
    let env = [("TMDB_RATE", "40"), ("TMDB_BASE_URL", &*base), ("TMDB_TOKEN", "sesame")];
    let world = World::start_against("three", &sim, &env[..1]).await;
    let mut others: Vec<Service> =
        (0..2).map(|_| world.service(&["serve", "refresh"], &env)).collect();
    world
        .until(
            "select least(count(distinct application_name), 3) from pg_stat_activity where application_name like 'mangoes%'",
            3,
        )
        .await;
    let span = measured();
    work(&world, 8_000).await;
    let begun = Instant::now();
    while sim.control().stats().calls < 100 {
        assert!(begun.elapsed() < PATIENCE, "the work does not begin\n{}", world.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let at_first = refused(&sim);
    let together = rate_over(&sim, span).await;
    drop(others.pop());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after_a_death = rate_over(&sim, span / 2).await;
    println!(
        "together {together:.1}/s, after one was killed {after_a_death:.1}/s, 429 at first {at_first}, later {}",
        refused(&sim) - at_first
    );
    for rate in [together, after_a_death] {
        assert!(
            (0.95 * RATE..=RATE + 0.5).contains(&rate),
            "{rate:.1} calls/s; a share of 40 is 38 to 40"
        );
    }
    assert_eq!(refused(&sim), at_first, "nobody was refused after the first seconds");
    assert!(sim.control().stats().peak_per_second <= 50);
}

/// `now` overtakes a backlog of thousands at once, and `bulk` goes on beside an endless `now`.
#[tokio::test(flavor = "multi_thread")]
async fn lanes_overtake_and_none_starves() {
    let sim = Sim::start(Options::default()).await.unwrap();
    let world = World::start_against("lanes", &sim, &[("TMDB_RATE", "40")]).await;
    work(&world, 3_000).await;
    world
        .until("select least(count(*), 40) from works where ingestion_status = 'complete'", 40)
        .await;
    let begun = Instant::now();
    world.publish("movies.stale.now", br#"{"tmdb_id": 4000}"#).await;
    let read = "select count(*) from tmdb_api_logs where tmdb_id = 4000";
    world.until(read, 1).await;
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "now waited {:?} behind the backlog",
        begun.elapsed()
    );
    world
        .execute("insert into works (tmdb_id, title, last_refreshed_at) select n::text, 'TMDB ' || n, now() from generate_series(50000, 50399) n")
        .await;
    for id in 50_000..50_400 {
        world.publish("movies.stale.now", format!(r#"{{"tmdb_id": {id}}}"#).as_bytes()).await;
    }
    let ended = |lane: &str| {
        format!(
            "select least(count(*), 300) from refresh_queue where status in ('completed', 'failed') and lane = '{lane}'"
        )
    };
    let bulk = &*ended("bulk").replace("300", "100000");
    let (before, begun) = (world.one(bulk).await, Instant::now());
    world.until(&ended("now"), 300).await;
    let in_between = world.one(bulk).await - before;
    assert!(
        in_between >= 10,
        "bulk got {in_between} in {:?} beside a full now lane",
        begun.elapsed()
    );
}
