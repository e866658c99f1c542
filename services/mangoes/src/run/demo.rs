//! `mangoes demo`: the main job end to end on embedded servers and the simulator, then exits.
//!
//! Ingests a list, ages a part of the movies, scans, refreshes, waits until every event is
//! published, and prints one table. It works in a data directory of its own inside the configured
//! one, and removes it at the end.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use operator::{
    Author, Client,
    jobs::{self, RunRequest, RunView},
    status,
};
use proto::{RunId, RunState};
use runtime::Config;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use store::{RunRow, Store};
use time::OffsetDateTime;

use super::{
    servers::{ServerOptions, Servers},
    services::{Service, Services},
    simulator,
};
use crate::{
    output::{self, Output, duration, percent},
    progress::{FollowOptions, follow_run},
};

/// How long one step may take.
const STEP_LIMIT: Duration = Duration::from_secs(120);
/// Every second movie is aged.
const AGED_SHARE: i64 = 2;
const LOOK_EVERY: Duration = Duration::from_millis(50);

const INGEST_JOB: &str = "scheduled_ingest_daily";
const SCAN_JOB: &str = "daily_refresh_enqueue";

/// What to show.
#[derive(Debug)]
pub(crate) struct DemoOptions {
    /// A directory of recorded answers to serve instead of generated ones.
    pub(crate) recorded: Option<PathBuf>,
    /// Measure how fast this many movies are refreshed without a limit.
    pub(crate) hot_path: Option<u32>,
}

/// Runs the demo.
pub(crate) async fn demo(
    mut config: Config,
    options: DemoOptions,
    out: Output,
) -> Result<ExitCode> {
    config.data_dir = config.data_dir.join("demo");
    config.nats.url = None;
    config.database_url = None;
    config.database_pool = None;
    if options.hot_path.is_some() {
        config.tmdb_rate = 0;
    }
    // A demo that was killed may have left it; usually there is none.
    let _ = embedded::remove_data(&config.data_dir);
    out.say("starting nats-server, Postgres and the TMDB simulator …");
    let sim = simulator::start(&mut config, options.recorded).await?;
    let wanted = ServerOptions { default_port: false, services: Service::ALL.len() };
    let servers = Servers::start(&config, wanted).await?;
    let demo = Demo { store: &servers.store, hot_path: options.hot_path.map(i64::from), out };
    let result = match Services::start(&servers, &config, &Service::ALL).await {
        Ok(services) => {
            let result = demo.steps().await;
            services.drain().await;
            result
        }
        Err(error) => Err(error),
    };
    servers.stop().await?;
    sim.stop().await;
    // What is left is overwritten by the next demo.
    let _ = embedded::remove_data(&config.data_dir);
    result.map(|()| ExitCode::SUCCESS)
}

struct Demo<'a> {
    store: &'a Store,
    hot_path: Option<i64>,
    out: Output,
}

impl Demo<'_> {
    async fn steps(&self) -> Result<()> {
        let list = self.hot_path.map(|n| json!({"source": "popular", "max_movies": n}));
        let ingest = self.run(INGEST_JOB, list).await?;
        let share = if self.hot_path.is_some() { 1 } else { AGED_SHARE };
        let aged = self.store.age_movies(share).await?;
        self.out.say(&format!("{aged} movies were aged, so that they are due"));
        let begun = Instant::now();
        let limit = self.hot_path.map(|n| json!({ "limit": n }));
        let refresh = self.run(SCAN_JOB, limit).await?;
        let took = begun.elapsed().as_secs_f64();
        let events = self.all_published().await?;
        let (ingest, refresh) = (self.with_calls(&ingest).await?, self.with_calls(&refresh).await?);
        self.print(&[&ingest, &refresh], events).await?;
        if self.hot_path.is_some() {
            let RunRow { done, tmdb_calls, .. } = refresh;
            let rate = done as f64 / took;
            self.out.say(&format!(
                "hot path: {done} due movies refreshed in {took:.2} s = {rate:.0} movies/s, \
                 {tmdb_calls} TMDB calls"
            ));
        }
        Ok(())
    }

    async fn run(&self, name: &str, payload: Option<Value>) -> Result<RunRow> {
        let author = Author { by: "demo".to_owned(), request_id: None };
        let name = name.parse().map_err(anyhow::Error::msg)?;
        let request = RunRequest { name, payload, force: true };
        let run_id: RunId = jobs::run(self.store, &request, &author).await?;
        let options = FollowOptions { quiet: self.out.json, limit: STEP_LIMIT };
        let view: RunView =
            follow_run(&Client::Database(self.store.clone()), &run_id, options).await?;
        let state = view.run.status;
        let RunRow { job, done, failed, .. } = &view.run;
        self.out.say(&format!("{job}: {} ({done} done, {failed} failed)", state.as_str()));
        if state != RunState::Succeeded {
            let why = view.run.error.as_deref().unwrap_or("no reason is known");
            bail!("{job} ended as {}: {why}", state.as_str());
        }
        Ok(view.run)
    }

    /// Waits until every event is published. Returns how many there were.
    async fn all_published(&self) -> Result<i64> {
        let begun = Instant::now();
        while self.store.unsent_events().await? > 0 {
            if begun.elapsed() > STEP_LIMIT {
                bail!("some events are still not published after {} s", STEP_LIMIT.as_secs());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let subjects = bus::topology::subjects_of(bus::topology::EVENTS);
        Ok(self.store.events_published(&subjects).await?)
    }

    /// Waits until titles were counted after this time.
    async fn counted_since(&self, work_ended_at: OffsetDateTime) -> Result<()> {
        let begun = Instant::now();
        while self.store.sampled_at().await?.is_none_or(|at| at <= work_ended_at) {
            if begun.elapsed() > STEP_LIMIT {
                bail!("titles are still not counted after {} s", STEP_LIMIT.as_secs());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// The run with its calls. They are logged in batches, a moment later than their movies: at
    /// least one for each.
    async fn with_calls(&self, run: &RunRow) -> Result<RunRow> {
        let begun = Instant::now();
        loop {
            let run = jobs::run_of(self.store, &run.run_id).await?.run;
            if run.tmdb_calls >= run.done {
                return Ok(run);
            }
            if begun.elapsed() > STEP_LIMIT {
                bail!("TMDB calls are still not logged after {} s", STEP_LIMIT.as_secs());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn print(&self, runs: &[&RunRow], events: i64) -> Result<()> {
        self.counted_since(self.store.now().await?).await?;
        let status = status::read(self.store).await?;
        if self.out.json {
            self.out.value(&DemoEnd {
                runs: runs.iter().map(|run| (*run).clone()).collect(),
                events_published: events,
                titles: status.titles,
                fresh: status.fresh,
            });
            return Ok(());
        }
        output::line("");
        self.out.table(&runs, &HEAD, runs.iter().copied().map(row).collect());
        output::line(&format!(
            "\nevents published: {events}   fresh: {} of {} titles",
            percent(status.fresh, status.titles),
            status.titles
        ));
        Ok(())
    }
}

/// What the demo ends with.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DemoEnd {
    runs: Vec<RunRow>,
    events_published: i64,
    /// In the catalogue.
    titles: i64,
    /// Those of them that are not due.
    fresh: i64,
}

const HEAD: [&str; 7] =
    ["JOB", "CHECKED", "SKIPPED", "INGESTED/REFRESHED", "FAILED", "TMDB CALLS", "DURATION"];

fn row(run: &RunRow) -> Vec<String> {
    vec![
        run.job.to_string(),
        run.checked.to_string(),
        run.skipped.to_string(),
        run.done.to_string(),
        run.failed.to_string(),
        run.tmdb_calls.to_string(),
        duration(run.duration_secs),
    ]
}
