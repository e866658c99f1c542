//! `mangoes demo`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use runtime::Config;

use crate::{
    output::Output,
    run::demo::{DemoOptions, demo},
};

#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Serve the recorded answers of this directory instead of generated ones.
    #[arg(long, value_name = "DIR")]
    recorded: Option<PathBuf>,
    /// Also measure the hot path: refresh this many due movies without a limit.
    #[arg(long, value_name = "N")]
    hot_path: Option<u32>,
}

pub(super) async fn run(config: Config, args: DemoArgs, out: Output) -> Result<ExitCode> {
    let DemoArgs { recorded, hot_path } = args;
    demo(config, DemoOptions { recorded, hot_path }, out).await
}
