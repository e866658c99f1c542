//! A dump of the app's database holds ours too: what comes out of it goes on where it stood, with
//! an empty broker.

#![expect(non_snake_case, reason = "a test is found by the id of the rule that it holds")]

use std::time::Duration;

use tests::{HostedApp, World, simulator};
use tmdb_sim::Sim;

/// A database in which work is open: a run is under way, and TMDB answers nobody.
async fn interrupted(name: &str, sim: &Sim) -> HostedApp {
    let app = HostedApp::repository(name).await;
    let world = World::start_on(&app, sim).await;
    sim.control().outage(Duration::from_secs(3_600));
    world.verb(&["jobs", "run", "daily_refresh_enqueue"]);
    world.queue().reaches(25).await;
    drop(world.kill().await);
    sim.control().outage(Duration::ZERO);
    app
}

/// What was open when the dump was made is done; what is due flows as before.
async fn goes_on(copy: &HostedApp, sim: &Sim) {
    assert_eq!(copy.movies_or_titles_alone().await, 0);
    let world = World::start_on(copy, sim).await;
    world.runs().open().becomes(0).await;
    for due in ["603", "27205", "13"] {
        let look = async || copy.due_in_days(due).await;
        tests::eventually(&format!("{due} is fresh"), look, |d| d.is_some_and(|d| d > 0.0)).await;
    }
    world.verb(&["ingest", "--movie", "2", "--follow"]);
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    world.all_published().await;
    copy.readers_pass("out of a dump", &[603, 550, 27_205, 155, 13]).await;
}

/// The whole database in one dump.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_dump_goes_on_with_an_empty_broker() {
    let sim = simulator().await;
    let app = interrupted("dump", &sim).await;
    let copy = app.copy("copy").await;
    goes_on(&copy, &sim).await;
}

/// Tables and rows in two dumps: the rows come in with every trigger at work and no search path.
#[tokio::test(flavor = "multi_thread")]
async fn A12_a_dump_of_the_rows_alone_goes_on_with_an_empty_broker() {
    let sim = simulator().await;
    let app = interrupted("dump-rows", &sim).await;
    let copy = app.copy_in_two_steps("copy").await;
    goes_on(&copy, &sim).await;
}

/// The rows of a dump in a database that was migrated for them.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_dump_go_on_in_a_migrated_database() {
    let sim = simulator().await;
    let app = interrupted("dump-empty", &sim).await;
    let copy = app.copy_rows_into_a_migrated_one("copy").await;
    goes_on(&copy, &sim).await;
}
