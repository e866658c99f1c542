//! One budget for all processes: together they use it, together they keep to it, and a share that a
//! dead one leaves is taken over.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{PATIENCE, Process, Wait, World};
use tmdb_sim::{Options, Sim};

const RATE: f64 = 40.0;
/// A rate that uses the budget.
const FULL: f64 = 0.95 * RATE;
/// Seconds over which the rate is measured; `MANGOES_BUDGET_SECS=60` measures a minute.
const MEASURED_SECS: u64 = 12;
/// So long a span with the full rate is no accident: a burst would fill a shorter one.
const STEADY: Duration = Duration::from_secs(2);
/// So soon the others use the share of a process that died: it takes a slice of a second or so with
/// So soon after the work began the three share the rate, and nobody is refused any more.
const SHARED_WITHIN: Duration = Duration::from_secs(15);
/// it, and two busy cores take their time.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(10);

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
    // The time is what is measured.
    tokio::time::sleep(span).await;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
    let calls = (sim.control().stats().calls - before) as f64;
    calls / begun.elapsed().as_secs_f64()
}

/// What was made of the budget over a while.
#[derive(Debug)]
struct Use {
    /// Calls a second.
    rate: f64,
    /// Calls that TMDB refused.
    refused: u64,
}

/// Waits for a span in which the budget is used and nobody is refused.
async fn budget_is_used(sim: &Sim, wait: Wait<'_>) {
    let look = async || {
        let before = refused(sim);
        let rate = rate_over(sim, STEADY).await;
        Use { rate, refused: refused(sim) - before }
    };
    let used = |seen: &Use| seen.rate >= FULL && seen.refused == 0;
    wait.until("the budget is used and nobody is refused", look, used).await;
}

fn refused(sim: &Sim) -> u64 {
    sim.control().stats().by_status.get(&429).copied().unwrap_or(0)
}

/// Old movies that were never read: due, and of the bulk lane.
async fn work(world: &World, movies: i64) {
    world.add_old_movies(1001..=1000 + movies).await;
    let payload = json!({"limit": movies}).to_string();
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--payload", &payload]);
}

/// Three processes at 40 calls a second against a TMDB that refuses more than 50 in any second.
#[tokio::test(flavor = "multi_thread")]
async fn three_processes_share_one_rate() {
    let options = Options { rate_limit: 50, movies: 100_000, ..Options::default() };
    let sim = Sim::start(options).await.unwrap();
    let base = sim.base_url();
    let env = [("TMDB_RATE", "40"), ("TMDB_BASE_URL", &*base), ("TMDB_TOKEN", "sesame")];
    let world = World::start_against("three", &sim, &env[..1]).await;
    let mut others: Vec<Process> =
        (0..2).map(|_| world.service(&["serve", "refresh"], &env)).collect();
    world.connected_processes().reaches(3).await;
    let span = measured();
    work(&world, 8_000).await;
    let log = world.folder.0.join("up.log");
    let wait = Wait::within(PATIENCE).showing(&log);
    wait.until("the work has begun", async || sim.control().stats().calls, |n| *n >= 100).await;
    let wait = Wait::within(SHARED_WITHIN).showing(&log);
    budget_is_used(&sim, wait).await;
    let at_first = refused(&sim);
    let together = rate_over(&sim, span).await;
    others.pop().unwrap().kill();
    let wait = Wait::within(TAKEN_OVER_WITHIN).showing(&log);
    budget_is_used(&sim, wait).await;
    let after_a_death = rate_over(&sim, span / 2).await;
    println!(
        "together {together:.1}/s, after one was killed {after_a_death:.1}/s, \
         429 at first {at_first}, later {}",
        refused(&sim) - at_first
    );
    for rate in [together, after_a_death] {
        assert!(
            (FULL..=RATE + 0.5).contains(&rate),
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
    world.movies().complete().reaches(40).await;
    let begun = Instant::now();
    world.stale(4000).await;
    world.calls().for_movie(4000).becomes(1).await;
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "now waited {:?} behind the backlog",
        begun.elapsed()
    );
    world.add_fresh_movies(50_000..=50_399).await;
    for id in 50_000..50_400 {
        world.stale(id).await;
    }
    let ended = |lane: &str| world.queue().ended().of_lane(lane);
    let (before, begun) = (ended("bulk").await, Instant::now());
    ended("now").reaches(300).await;
    let in_between = ended("bulk").await - before;
    assert!(
        in_between >= 10,
        "bulk got {in_between} in {:?} beside a full now lane",
        begun.elapsed()
    );
}
