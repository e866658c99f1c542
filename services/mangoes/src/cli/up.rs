//! `mangoes up`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use runtime::Config;

use crate::run::up::{UpOptions, up};

#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// Start an embedded server for the one of NATS_URL and DATABASE_URL that is not set.
    #[arg(long)]
    embed_missing: bool,
    /// Use the built-in TMDB simulator; no credential is needed.
    #[arg(long)]
    demo: bool,
    /// The simulator serves the recorded answers of this directory.
    #[arg(long, value_name = "DIR", requires = "demo")]
    recorded: Option<PathBuf>,
}

pub(super) async fn run(config: Config, args: UpArgs) -> Result<ExitCode> {
    let UpArgs { embed_missing, demo, recorded } = args;
    up(config, UpOptions { demo, recorded, embed_missing }).await?;
    Ok(ExitCode::SUCCESS)
}
