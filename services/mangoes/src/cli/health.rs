//! `mangoes health`.

use std::process::ExitCode;

use anyhow::Result;
use runtime::Config;

use crate::{health::probe, output::Output};

#[derive(Debug, clap::Args)]
pub(crate) struct HealthArgs {
    /// Ask this address instead of the process with these settings, as http://ingest:8080/readyz.
    url: Option<String>,
}

pub(super) async fn run(config: &Config, args: &HealthArgs, out: Output) -> Result<ExitCode> {
    probe::health(config, args.url.as_deref(), out).await
}
