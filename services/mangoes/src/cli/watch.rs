//! `mangoes watch`: status, jobs and latest runs, again and again.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use operator::{
    Client,
    jobs::{Jobs, RunFilter},
};
use runtime::Config;
use schemars::JsonSchema;
use serde::Serialize;
use store::Status;
use time::OffsetDateTime;

use super::{jobs::list::print_jobs, run_table::print_runs, status};
use crate::{
    connect,
    output::{self, Output},
};

/// Runs that are shown.
const RUNS: i64 = 8;

#[derive(Debug, clap::Args)]
pub(crate) struct WatchArgs {
    /// Seconds between two updates.
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    every: u64,
}

/// Ends when it is stopped, or when nobody reads any more.
pub(super) async fn run(config: &Config, args: &WatchArgs, out: Output) -> Result<ExitCode> {
    let client = connect::client_to_read(config).await?;
    let every = Duration::from_secs(args.every.max(1));
    loop {
        if out.json {
            output::line(&as_json(&client).await?);
        } else {
            show(&client, out).await?;
        }
        if output::is_closed() {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            stopped = tokio::signal::ctrl_c() => {
                stopped?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

/// What one line of `--json` says.
#[derive(Serialize, JsonSchema)]
pub(super) struct Frame {
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    at: OffsetDateTime,
    status: Status,
    jobs: Jobs,
}

async fn as_json(client: &Client) -> Result<String> {
    let (at, status, jobs) = (client.now().await?, client.status().await?, client.jobs().await?);
    Ok(serde_json::to_string(&Frame { at, status, jobs })?)
}

async fn show(client: &Client, out: Output) -> Result<()> {
    output::begin_frame();
    status::show(client, out).await?;
    output::line("");
    let now = client.now().await?;
    print_jobs(&client.jobs().await?, now, out);
    output::line("");
    let latest = RunFilter { limit: Some(RUNS), ..RunFilter::default() };
    print_runs(client.runs(&latest).await?, now, out);
    output::line("");
    output::show_frame();
    Ok(())
}
