//! `mangoes migrate`.

use std::process::ExitCode;

use anyhow::Result;
use runtime::Config;

use crate::{connect, output};

pub(super) async fn run(config: &Config) -> Result<ExitCode> {
    connect::store(config).await?.migrate().await?;
    output::line("the database has all migrations");
    Ok(ExitCode::SUCCESS)
}
