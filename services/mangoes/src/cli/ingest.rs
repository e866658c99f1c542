//! `mangoes ingest`: brings movies or a list into the catalogue.

use std::process::ExitCode;

use anyhow::{Result, bail};
use operator::movies::{self, IngestMovies};
use proto::{ListSource, MaxMovies, TmdbId};
use runtime::{Config, ConfigError};

use super::{author::this_user, follow};
use crate::{connect, output::Output};

#[derive(Debug, clap::Args)]
pub(crate) struct IngestArgs {
    /// Ingest these movies: TMDB ids.
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "list")]
    movie: Vec<TmdbId>,
    /// Ingest the new titles of a list: mixed_daily, mixed_weekly, now_playing, popular, trending,
    /// upcoming, top_rated, all.
    #[arg(long, value_name = "SOURCE", requires = "max")]
    list: Option<ListSource>,
    /// Ingest at most this many new titles of the list.
    #[arg(long, value_name = "N", requires = "list")]
    max: Option<i64>,
    /// Fetch a movie also when the catalogue has it.
    #[arg(long, requires = "movie")]
    force: bool,
    /// Wait for the end.
    #[arg(long)]
    follow: bool,
}

pub(super) async fn run(config: &Config, args: IngestArgs, out: Output) -> Result<ExitCode> {
    let IngestArgs { movie: ids, list, max, force, follow } = args;
    if let (Some(source), Some(max)) = (list, max) {
        let max =
            MaxMovies::try_from(max).map_err(|error| ConfigError(format!("--max: {error}")))?;
        let bus = connect::bus(config).await?;
        let run_id = movies::ingest_list(&bus, source, max, &this_user()).await?;
        return follow::run(config, &run_id, follow, out).await;
    }
    if ids.is_empty() {
        bail!(ConfigError(
            "say what to ingest: --movie ID..., or --list SOURCE --max N; to run the service, \
             use `mangoes serve ingest`"
                .to_owned()
        ));
    }
    let bus = connect::bus(config).await?;
    let accepted = movies::ingest(&bus, &IngestMovies { ids, force }, &this_user()).await?;
    follow::messages(config, accepted, follow, out).await
}
