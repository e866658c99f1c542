//! `mangoes remap`: maps TMDB's stored answers again, straight on the database.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use proto::TmdbId;
use runtime::Config;
use schemars::JsonSchema;
use serde::Serialize;
use store::{RemapCounts, RemapNews, RemapScope};

use crate::{
    connect,
    output::{self, Output, counted},
    progress::Bar,
    run::tmdb::map_options,
};

#[derive(Debug, clap::Args)]
pub(crate) struct RemapArgs {
    /// Map every stored answer, as after a change of the region.
    #[arg(long, conflicts_with = "movie")]
    all: bool,
    /// Map the answers of these movies: TMDB ids.
    #[arg(long, value_name = "ID", num_args = 1..)]
    movie: Vec<TmdbId>,
}

/// What the command says at its end.
#[derive(Serialize, JsonSchema)]
pub(super) struct Done {
    #[serde(flatten)]
    counts: RemapCounts,
    duration_secs: f64,
}

pub(super) async fn run(config: &Config, args: RemapArgs, out: Output) -> Result<ExitCode> {
    if config.nats.url.is_some() && !connect::knows_a_database(config)? {
        bail!(
            "remap works straight on the database, and only NATS_URL is set: set DATABASE_URL or \
             PGHOST too"
        );
    }
    let scope = scope(args);
    let store = connect::migrated_store(config).await?;
    let mut bar = Bar::new("answers mapped", out.json);
    let begun = Instant::now();
    let news = |news| match news {
        RemapNews::GoesOn => output::note("an earlier remap was stopped: this one goes on"),
        RemapNews::Done { counts, of } => bar.set(counts.checked, of),
        RemapNews::Failed { movie, problem } => {
            output::note(&format!("mangoes: warning: movie {movie} was left as it is: {problem}"));
        }
    };
    let counts = store.remap(&scope, map_options(config), news).await;
    bar.end();
    let counts = counts?;
    show(counts, begun.elapsed(), out);
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn scope(args: RemapArgs) -> RemapScope {
    let RemapArgs { all, movie } = args;
    if all {
        RemapScope::All
    } else if movie.is_empty() {
        RemapScope::Outdated
    } else {
        RemapScope::Movies(movie)
    }
}

fn show(counts: RemapCounts, took: Duration, out: Output) {
    let duration_secs = took.as_secs_f64();
    if out.json {
        out.value(&Done { counts, duration_secs });
        return;
    }
    let RemapCounts { checked, written, unchanged, failed } = counts;
    output::line(&format!(
        "{} mapped again in {duration_secs:.1} s ({:.0}/s): {written} written, {unchanged} \
         unchanged, {failed} failed",
        counted(checked, "stored answer"),
        checked as f64 / duration_secs.max(0.001),
    ));
}
