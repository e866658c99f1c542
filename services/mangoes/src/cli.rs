//! The command line.

mod dead;
mod jobs;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use proto::{ListSource, TmdbId};
use runtime::{Config, config::Sources};
use serde_json::Value;

use crate::{demo, serve, show, verbs};

/// Keeps a movie app's catalogue fresh from TMDB, on NATS JetStream and Postgres.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Machine-readable output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Instants instead of spans, as 2026-11-24T11:00:00Z.
    #[arg(long, global = true)]
    pub(crate) absolute: bool,
    /// Where embedded servers keep their data [env: MANGOES_DATA_DIR] [default: .mangoes].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything in one process; embedded servers unless NATS_URL and DATABASE_URL are set.
    Up {
        /// Use the built-in TMDB simulator; no credential is needed.
        #[arg(long)]
        demo: bool,
        /// The simulator serves the recorded answers of this directory.
        #[arg(long, value_name = "DIR", requires = "demo")]
        recorded: Option<PathBuf>,
    },
    /// The main job end to end on embedded servers and the TMDB simulator, then exits.
    Demo {
        /// Serve the recorded answers of this directory instead of generated ones.
        #[arg(long, value_name = "DIR")]
        recorded: Option<PathBuf>,
        /// Also measure the hot path: refresh this many due movies without a limit.
        #[arg(long, value_name = "N")]
        hot_path: Option<u32>,
    },
    /// The scheduler alone.
    Scheduler,
    /// The ingest service alone; with options: bring movies or a list in.
    Ingest {
        /// TMDB ids.
        #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "list")]
        movie: Vec<TmdbId>,
        /// A list: mixed_daily, mixed_weekly, now_playing, popular, trending, upcoming, top_rated, all.
        #[arg(long, value_name = "SOURCE", requires = "max")]
        list: Option<ListSource>,
        /// New titles at most.
        #[arg(long, value_name = "N", requires = "list")]
        max: Option<i64>,
        /// Fetch also what the catalogue has.
        #[arg(long, requires = "movie")]
        force: bool,
        /// Wait for the end.
        #[arg(long)]
        follow: bool,
    },
    /// The staleness scanner alone.
    StalenessScanner,
    /// The refresh service alone; with options: refresh movies now.
    Refresh {
        /// TMDB ids.
        #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "due")]
        movie: Vec<TmdbId>,
        /// All movies that are due.
        #[arg(long)]
        due: bool,
        /// Wait for the end.
        #[arg(long)]
        follow: bool,
    },
    /// Apply the migrations.
    Migrate,
    /// Make streams and consumers as nats/*.json says.
    Topology {
        /// Only compare; exit 1 when something differs.
        #[arg(long)]
        check: bool,
    },
    /// Jobs and their runs.
    Jobs {
        #[command(subcommand)]
        verb: jobs::Jobs,
    },
    /// One movie.
    Movie {
        #[command(subcommand)]
        verb: Movie,
    },
    /// Dead letters: messages that were given up.
    Dead {
        #[command(subcommand)]
        verb: dead::Dead,
    },
    /// Freshness, backlog, TMDB calls, dead letters.
    Status {
        /// Exit 3 when a title is older than its policy allows, or TMDB refuses the credential.
        #[arg(long)]
        check: bool,
    },
    /// Status, jobs and latest runs, live. With --json: one object per line.
    Watch {
        /// Seconds between two looks.
        #[arg(long, default_value_t = 2)]
        every: u64,
    },
    /// The TMDB simulator alone.
    TmdbSim {
        /// Address to listen on.
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
        /// Seed of the catalogue.
        #[arg(long, default_value_t = 7)]
        seed: u64,
        /// Movies in the catalogue, up to 1,200,000.
        #[arg(long, default_value_t = 100_000)]
        movies: u64,
        /// Added latency in milliseconds.
        #[arg(long, default_value_t = 0)]
        latency_ms: u64,
        /// Refuse more requests than this in any second; 0 = never.
        #[arg(long, default_value_t = 0)]
        rate_limit: u32,
        /// Refusals carry Retry-After.
        #[arg(long)]
        retry_after: bool,
        /// A setting: latency_min_ms, slow_share, slow_ms, old_429_body, cache_secs, credential. Repeatable.
        #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
        set: Vec<(String, Value)>,
        /// A share of requests that fails, 0 to 1: http_500, http_502, http_503, http_504, http_429, html, invalid_json,
        /// truncated, reset, stall, wrong_id, bad_id. Repeatable.
        #[arg(long, value_name = "KIND=SHARE", value_parser = pair)]
        fault: Vec<(String, Value)>,
        /// Begin with an outage of this many seconds.
        #[arg(long, value_name = "SECONDS")]
        outage: Option<u64>,
        /// Serve recorded answers.
        #[arg(long, value_name = "DIR")]
        recorded: Option<PathBuf>,
    },
    /// The settings in effect, secrets masked.
    Config,
    /// Shell completions.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Movie {
    /// Its state, and why it is due or not.
    Show {
        /// TMDB id.
        id: TmdbId,
    },
    /// What changed and when, the newest first.
    History {
        /// TMDB id.
        id: TmdbId,
        /// How many.
        #[arg(short = 'n', default_value_t = 20)]
        limit: i64,
    },
}

/// `name=value`; a value that is no JSON is a text.
fn pair(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is wanted")?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

fn config(cli: &Cli) -> Result<Config> {
    let mut sources = Sources::of_process()?;
    if let Some(dir) = &cli.data_dir {
        sources.env.insert("MANGOES_DATA_DIR".to_owned(), dir.display().to_string());
    }
    Ok(Config::load(&sources)?)
}

/// Does what the command line says.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode> {
    let config = config(&cli)?;
    show::ABSOLUTE.store(cli.absolute, std::sync::atomic::Ordering::Relaxed);
    let quiet = !matches!(
        cli.command,
        Command::Up { .. } | Command::Scheduler | Command::StalenessScanner | Command::Ingest { .. } | Command::Refresh { .. }
    );
    runtime::telemetry::init(
        &config.log,
        if quiet { "error,mangoes=warn" } else { "info,ractor=warn,async_nats=warn,tokio_cron_scheduler=warn" },
    );
    let out = show::Out { json: cli.json };
    match cli.command {
        Command::Up { demo, recorded } => serve::up(config, demo, recorded).await?,
        Command::Demo { recorded, hot_path } => return demo::run(config, demo::Options { recorded, hot_path }, out).await,
        Command::Scheduler => serve::alone(config, serve::Part::Scheduler).await?,
        Command::StalenessScanner => serve::alone(config, serve::Part::Scanner).await?,
        Command::Ingest { movie, list: None, force, follow, .. } if !movie.is_empty() => {
            return verbs::ingest_movies(&config, &movie, (force, follow), out).await;
        }
        Command::Ingest { list: Some(list), max, follow, .. } => {
            return verbs::ingest_list(&config, (list, max.unwrap_or(1)), follow, out).await;
        }
        Command::Ingest { .. } => serve::alone(config, serve::Part::Ingest).await?,
        Command::Refresh { movie, follow, .. } if !movie.is_empty() => {
            return verbs::refresh_movies(&config, &movie, follow, out).await;
        }
        Command::Refresh { due: true, follow, .. } => return verbs::refresh_due(&config, follow, out).await,
        Command::Refresh { .. } => serve::alone(config, serve::Part::Refresh).await?,
        Command::Migrate => verbs::migrate(&config).await?,
        Command::Topology { check } => return verbs::topology(&config, check, out).await,
        Command::Dead { verb } => return dead::run(&config, verb, out).await,
        Command::Jobs { verb } => return jobs::run(&config, verb, out).await,
        Command::Movie { verb: Movie::Show { id } } => return verbs::movie_show(&config, id, out).await,
        Command::Movie { verb: Movie::History { id, limit } } => verbs::movie_history(&config, (id, limit), out).await?,
        Command::Status { check } => return verbs::status(&config, check, out).await,
        Command::Watch { every } => verbs::watch(&config, Duration::from_secs(every.max(1)), out).await?,
        Command::TmdbSim { listen, seed, movies, latency_ms, rate_limit, retry_after, set, fault, outage, recorded } => {
            let latency = Duration::from_millis(latency_ms);
            let options =
                tmdb_sim::Options { listen, seed, movies, latency, rate_limit, retry_after, recorded, ..Default::default() };
            verbs::tmdb_sim(options, (set, fault, outage.map(Duration::from_secs))).await?;
        }
        Command::Config => out.pairs(&config.shown()),
        Command::Completions { shell } => clap_complete::generate(shell, &mut Cli::command(), "mangoes", &mut std::io::stdout()),
    }
    Ok(ExitCode::SUCCESS)
}
