//! The command line.

pub(crate) mod config;
mod dead;
mod jobs;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use proto::{ListSource, TmdbId};
use runtime::{Config, config::Sources};
use serde_json::Value;

use crate::{demo, probe, serve, show, verbs};

/// Keeps a movie app's catalogue fresh from TMDB, on NATS JetStream and Postgres.
#[derive(Debug, Parser)]
#[command(version = env!("MANGOES_VERSION"), arg_required_else_help = true, max_term_width = 100)]
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
        /// Start an embedded server for the one of NATS_URL and DATABASE_URL that is not set.
        #[arg(long)]
        embed_missing: bool,
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
        /// A list: mixed_daily, mixed_weekly, now_playing, popular, trending, upcoming, top_rated,
        /// all.
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
        /// Make streams that belong to another database this database's own.
        #[arg(long, conflicts_with = "check")]
        take_over: bool,
    },
    /// Ask a running process whether it does its work; exit 1 when it does not.
    Health {
        /// What to ask instead of this configuration's own process, as http://ingest:8080/readyz.
        url: Option<String>,
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
        /// A setting: latency_min_ms, slow_share, slow_ms, old_429_body, cache_secs, credential.
        /// Repeatable.
        #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
        set: Vec<(String, Value)>,
        /// A share of requests that fails, 0 to 1: http_500, http_502, http_503, http_504,
        /// http_429, html, invalid_json, truncated, reset, stall, wrong_id, bad_id. Repeatable.
        #[arg(long, value_name = "KIND=SHARE", value_parser = pair)]
        fault: Vec<(String, Value)>,
        /// Begin with an outage of this many seconds.
        #[arg(long, value_name = "SECONDS")]
        outage: Option<u64>,
        /// Serve recorded answers.
        #[arg(long, value_name = "DIR")]
        recorded: Option<PathBuf>,
    },
    /// The settings in effect and where each comes from, secrets masked.
    Config {
        /// Print shell exports, with passwords, of how to reach NATS, Postgres and the simulator.
        #[arg(long)]
        env: bool,
    },
    /// Shell completions.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it runs until it is stopped, and works for others than the one who reads its output.
    pub(crate) const fn is_service(&self) -> bool {
        match self {
            Self::Up { .. } | Self::Scheduler | Self::StalenessScanner | Self::TmdbSim { .. } => {
                true
            }
            Self::Ingest { movie, list, .. } => movie.is_empty() && list.is_none(),
            Self::Refresh { movie, due, .. } => movie.is_empty() && !*due,
            Self::Demo { .. }
            | Self::Migrate
            | Self::Topology { .. }
            | Self::Health { .. }
            | Self::Jobs { .. }
            | Self::Movie { .. }
            | Self::Dead { .. }
            | Self::Status { .. }
            | Self::Watch { .. }
            | Self::Config { .. }
            | Self::Completions { .. } => false,
        }
    }
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

fn settings(cli: &Cli) -> Result<Config> {
    let mut sources = Sources::of_process()?;
    if let Some(dir) = cli.data_dir.as_ref().filter(|dir| !dir.as_os_str().is_empty()) {
        sources.flags.insert("MANGOES_DATA_DIR", dir.display().to_string());
    }
    Ok(Config::load(&sources)?)
}

/// Does what the command line says.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode> {
    let config = settings(&cli)?;
    show::ABSOLUTE.store(cli.absolute, std::sync::atomic::Ordering::Relaxed);
    let filter = match cli.command.is_service() {
        true => "info,ractor=warn,async_nats=warn,tokio_cron_scheduler=warn",
        false => "error,mangoes=warn",
    };
    runtime::telemetry::init(&config, filter)?;
    let out = show::Out { json: cli.json };
    match cli.command {
        Command::Up { demo, recorded, embed_missing } => {
            serve::up(config, serve::UpOptions { demo, recorded, embed_missing }).await?;
        }
        Command::Demo { recorded, hot_path } => {
            return demo::run(config, demo::Options { recorded, hot_path }, out).await;
        }
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
        Command::Refresh { due: true, follow, .. } => {
            return verbs::refresh_due(&config, follow, out).await;
        }
        Command::Refresh { .. } => serve::alone(config, serve::Part::Refresh).await?,
        Command::Migrate => verbs::migrate(&config).await?,
        Command::Topology { take_over: true, .. } => verbs::take_over(&config).await?,
        Command::Topology { check, .. } => return verbs::topology(&config, check, out).await,
        Command::Health { url } => return probe::health(&config, url.as_deref(), out).await,
        Command::Dead { verb } => return dead::run(&config, verb, out).await,
        Command::Jobs { verb } => return jobs::run(&config, verb, out).await,
        Command::Movie { verb: Movie::Show { id } } => {
            return verbs::movie_show(&config, id, out).await;
        }
        Command::Movie { verb: Movie::History { id, limit } } => {
            verbs::movie_history(&config, (id, limit), out).await?
        }
        Command::Status { check } => return verbs::status(&config, check, out).await,
        Command::Watch { every } => {
            verbs::watch(&config, Duration::from_secs(every.max(1)), out).await?
        }
        Command::TmdbSim {
            listen,
            seed,
            movies,
            latency_ms,
            rate_limit,
            retry_after,
            set,
            fault,
            outage,
            recorded,
        } => {
            let latency = Duration::from_millis(latency_ms);
            let options = tmdb_sim::Options {
                listen,
                seed,
                movies,
                latency,
                rate_limit,
                retry_after,
                recorded,
                ..Default::default()
            };
            verbs::tmdb_sim(options, (set, fault, outage.map(Duration::from_secs))).await?;
        }
        Command::Config { env: true } => self::config::exports(&config, out)?,
        Command::Config { env: false } => self::config::show(&config, out),
        Command::Completions { shell } => {
            // Into memory: the library panics where it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mangoes", &mut script);
            show::line(String::from_utf8_lossy(&script).trim_end());
        }
    }
    Ok(ExitCode::SUCCESS)
}
