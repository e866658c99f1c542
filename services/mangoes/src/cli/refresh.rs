//! `mangoes refresh`: refreshes movies now.

use std::process::ExitCode;

use anyhow::{Result, bail};
use proto::TmdbId;
use runtime::{Config, ConfigError};

use super::{author::this_user, follow};
use crate::{connect, output::Output};

#[derive(Debug, clap::Args)]
pub(crate) struct RefreshArgs {
    /// Refresh these movies: TMDB ids.
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "due")]
    movie: Vec<TmdbId>,
    /// Refresh all movies that are due.
    #[arg(long)]
    due: bool,
    /// Wait for the end.
    #[arg(long)]
    follow: bool,
}

pub(super) async fn run(config: &Config, args: RefreshArgs, out: Output) -> Result<ExitCode> {
    let RefreshArgs { movie: ids, due, follow } = args;
    if !due && ids.is_empty() {
        bail!(ConfigError(
            "say what to refresh: --movie ID..., or --due; to run the service, use `mangoes \
             serve refresh`"
                .to_owned()
        ));
    }
    let client = connect::client(config).await?;
    if due {
        let run_id = client.refresh_due(&this_user()).await?;
        return follow::run(config, &run_id, follow, out).await;
    }
    let bus = connect::bus(config).await?;
    let accepted = client.refresh(&bus, &ids, &this_user()).await?;
    follow::messages(config, accepted, follow, out).await
}
