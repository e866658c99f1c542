//! A day of the jobs on an adopted database, as a role that is no superuser: the app's readers pass
//! before and after, and nothing changes but what the jobs are for.

use std::time::Duration;

use tests::{HostedApp, World, simulator};

const KNOWN: [i64; 5] = [603, 550, 27_205, 155, 13];
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Tables of the app whose rows the jobs write, with their sequences.
const WRITTEN: [&str; 10] = [
    "works",
    "works_meta",
    "rating_sources",
    "aggregates",
    "similar_movies",
    "work_cards_cache",
    "refresh_queue",
    "sync_state",
    "scheduled_ingestion_log",
    "tmdb_api_logs",
];

/// Whether a day of the jobs may change this: rows of those tables, numbers of their sequences.
fn is_work(change: &str) -> bool {
    let named = |prefix: &str| {
        change.strip_prefix(prefix).is_some_and(|name| WRITTEN.iter().any(|t| name.starts_with(t)))
    };
    named("~ rows of public.") || named("~ sequence public.")
}

async fn a_day(app: &HostedApp) {
    app.readers_pass("before", &KNOWN).await;
    let unknown = app.state().await;
    app.adopt();
    let adopted = app.state().await;
    let gone = unknown.changes(&adopted);
    assert!(!gone.iter().any(|line| line.starts_with("- ") || line.starts_with("~ ")), "{gone:?}");
    app.readers_pass("adopted", &KNOWN).await;
    let sim = simulator().await;
    let world = World::start_on(app, &sim).await;
    for job in [
        "scheduled_ingest_weekly",
        "scheduled_ingest_daily",
        "daily_refresh_enqueue",
        "refresh_worker",
    ] {
        world.verb(&["jobs", "run", job, "--follow"]);
        sim.control().advance(DAY / 4);
        app.readers_pass(job, &KNOWN).await;
    }
    world.verb(&["refresh", "--movie", "603", "550", "27205", "155", "13", "--follow"]);
    app.readers_pass("refreshed", &KNOWN).await;
    assert_eq!(app.movies_or_titles_alone().await, 0);
    assert_eq!(world.dead_letters().await, 0);
    let changes = adopted.changes(&app.state().await);
    let others: Vec<_> = changes.iter().filter(|change| !is_work(change)).collect();
    assert!(others.is_empty(), "{others:#?}");
    let new = app.movies_with_actor("").await.unwrap();
    assert!(new.len() > 100, "all cards decode, also those of {} movies that are new", new.len());
}

/// The app's production.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_on_the_apps_production() {
    a_day(&HostedApp::production("day").await).await;
}

/// The app's repository: a queue with rows that are stuck.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_on_the_apps_repository() {
    let app = HostedApp::repository("day-repository").await;
    a_day(&app).await;
    let queue = app.queue_by_status().await;
    assert!(
        !queue.iter().any(|line| line.starts_with("processing")),
        "nothing is stuck: {queue:?}"
    );
}
