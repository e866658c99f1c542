//! The main job end to end on embedded servers and the simulator: ingest, age, scan, refresh; one
//! table; exit.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use runtime::Config;
use serde_json::json;
use store::{RunRow, Store};

use crate::{
    progress,
    serve::{Part, Services, simulator},
    show::{self, Out, millis, percent},
    world::{self, Wanted, World},
};

/// How long one step may take.
const STEP_LIMIT: Duration = Duration::from_secs(120);
/// Every second movie is aged.
const AGED_SHARE: i64 = 2;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What to show.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) recorded: Option<PathBuf>,
    pub(crate) hot_path: Option<u32>,
}

/// Runs the demo in a data folder of its own inside the configured one, which it removes at the
/// end.
pub(crate) async fn run(mut config: Config, options: Options, out: Out) -> Result<ExitCode> {
    let hot = options.hot_path.map(i64::from);
    config.data_dir = config.data_dir.join("demo");
    config.nats_url = None;
    config.database_url = None;
    if hot.is_some() {
        config.tmdb_rate = 0;
    }
    drop(embedded::remove_data(&config.data_dir));
    out.say("starting nats-server, Postgres and the TMDB simulator …");
    let sim = simulator(&mut config, options.recorded).await?;
    let world =
        World::start(&config, Wanted { well_known_port: false, connections: world::CONNECTIONS })
            .await?;
    let services = Services::start(
        &world,
        &config,
        &[Part::Scheduler, Part::Ingest, Part::Scanner, Part::Refresh],
    )
    .await;
    let result = match services {
        Ok(services) => {
            let result = steps(&world.store, hot, out).await;
            services.drain().await;
            result
        }
        Err(e) => Err(e),
    };
    world.stop().await?;
    sim.stop().await;
    drop(embedded::remove_data(&config.data_dir));
    result.map(|()| ExitCode::SUCCESS)
}

async fn steps(store: &Store, hot: Option<i64>, out: Out) -> Result<()> {
    let ingest = match hot {
        None => job(store, "scheduled_ingest_daily", None, out).await?,
        Some(n) => {
            job(
                store,
                "scheduled_ingest_daily",
                Some(json!({"source": "popular", "max_movies": n})),
                out,
            )
            .await?
        }
    };
    let aged = store.age_movies(if hot.is_some() { 1 } else { AGED_SHARE }).await?;
    out.say(&format!("{aged} movies were aged"));
    let begun = Instant::now();
    let refresh =
        job(store, "daily_refresh_enqueue", hot.map(|n| json!({"limit": n})), out).await?;
    let took = begun.elapsed();
    let events = settled_outbox(store).await?;
    print(store, &[ingest, refresh.clone()], events, out).await?;
    if hot.is_some() {
        let rate = refresh.done as f64 / took.as_secs_f64();
        out.say(&format!(
            "hot path: {} due movies refreshed in {:.2} s = {rate:.0} movies/s, {} TMDB requests",
            refresh.done,
            took.as_secs_f64(),
            refresh.tmdb_calls
        ));
    }
    Ok(())
}

async fn job(
    store: &Store,
    name: &str,
    payload: Option<serde_json::Value>,
    out: Out,
) -> Result<RunRow> {
    let run = store::ManualRun { payload: payload.as_ref(), force: true };
    let demo = store::Author { by: "demo".to_owned(), request_id: None };
    let run_id = store.run_job(name, run, &demo).await?;
    let run = progress::follow_run(store, &run_id, (out.json, STEP_LIMIT)).await?;
    out.say(&format!("{name}: {} ({} done, {} failed)", run.status, run.done, run.failed));
    if run.status != proto::RunState::Succeeded {
        bail!("{name} ended as {}: {}", run.status, run.error.unwrap_or_default());
    }
    Ok(run)
}

/// Waits until every event is published; says how many there were.
async fn settled_outbox(store: &Store) -> Result<i64> {
    let begun = Instant::now();
    while store.unsent_events().await? > 0 {
        if begun.elapsed() > STEP_LIMIT {
            bail!("events are still unpublished");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let subjects = bus::topology::subjects_of(bus::topology::EVENTS);
    Ok(store.events_published(&subjects).await?)
}

async fn print(store: &Store, runs: &[RunRow], events: i64, out: Out) -> Result<()> {
    // TMDB calls are logged in batches: the counts are read anew at the end.
    let mut fresh = Vec::new();
    for run in runs {
        fresh.extend(store.runs(None, Some(&run.run_id), 1).await?);
    }
    let status = store.status().await?;
    if out.json {
        out.value(&json!({"runs": fresh, "events_published": events, "titles": status.titles, "fresh": status.fresh}));
        return Ok(());
    }
    let rows = fresh
        .iter()
        .map(|r| {
            let mut row = vec![r.job.to_string()];
            row.extend(
                [r.checked, r.skipped, r.done, r.failed, r.tmdb_calls].map(|n| n.to_string()),
            );
            row.push(millis(r.duration_ms));
            row
        })
        .collect();
    show::line("");
    out.table(
        &fresh,
        &["JOB", "CHECKED", "SKIPPED", "INGESTED/REFRESHED", "FAILED", "TMDB CALLS", "DURATION"],
        rows,
    );
    show::line(&format!(
        "\nevents published: {events}   fresh: {} of {} titles",
        percent(status.fresh, status.titles),
        status.titles
    ));
    Ok(())
}
