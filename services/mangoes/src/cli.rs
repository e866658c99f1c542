//! The command line: the tree of commands. Each noun has a file: its arguments, the call, the
//! print.

mod author;
mod completions;
mod config;
mod dead;
mod demo;
mod doctor;
mod follow;
mod health;
mod ingest;
mod jobs;
mod json_object;
mod migrate;
mod migration_plan;
mod movie;
mod refresh;
mod remap;
mod run_table;
mod serve;
#[cfg(test)]
mod shapes;
mod status;
mod tmdb_sim;
mod topology;
mod up;
mod watch;
mod webhook;

use std::{path::PathBuf, process::ExitCode, sync::atomic::Ordering};

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use runtime::{Config, config::Sources};

use crate::output::{self, Output};

/// Keeps a movie app's catalogue fresh from TMDB, on NATS JetStream and Postgres.
#[derive(Debug, Parser)]
#[command(version = env!("MANGOES_VERSION"), arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Print times as 2026-11-24T11:00:00Z instead of "in 3 h".
    #[arg(long, global = true)]
    absolute: bool,
    /// Where embedded servers keep their data [env: MANGOES_DATA_DIR] [default: .mangoes].
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process; embedded servers unless NATS_URL and DATABASE_URL are set.
    Up(up::UpArgs),
    /// Show the main job end to end on embedded servers and the TMDB simulator, then exit.
    Demo(demo::DemoArgs),
    /// Run services against the servers at NATS_URL and DATABASE_URL.
    Serve(serve::ServeArgs),
    /// Bring movies or a list into the catalogue.
    Ingest(ingest::IngestArgs),
    /// Refresh movies now.
    Refresh(refresh::RefreshArgs),
    /// Apply the migrations to the database; with --plan only look.
    Migrate(migrate::MigrateArgs),
    /// Map TMDB's stored answers again, without a call: after an update of mangoes, or with another
    /// region.
    ///
    /// Without --all and --movie it maps the answers that another version of mangoes mapped.
    ///
    /// TMDB_REGION and TMDB_STREAMING_REGIONS have to be those of the services. Texts stay in the
    /// language in which TMDB was asked. A remap that was stopped goes on when it is started again.
    Remap(remap::RemapArgs),
    /// Bring streams and consumers to what nats/*.json says.
    Topology(topology::TopologyArgs),
    /// Ask a running process whether it does its work; exit 1 when it does not.
    Health(health::HealthArgs),
    /// Check database and rights, and say what a person has to do; exit 1 where there is anything.
    Doctor,
    /// Jobs and their runs.
    Jobs {
        #[command(subcommand)]
        verb: jobs::JobsCommand,
    },
    /// One movie.
    Movie {
        #[command(subcommand)]
        verb: movie::MovieCommand,
    },
    /// Dead letters: messages that failed for good.
    Dead {
        #[command(subcommand)]
        verb: dead::DeadCommand,
    },
    /// Show freshness, backlog, TMDB calls and dead letters.
    Status(status::StatusArgs),
    /// Show status, jobs and latest runs, updated all the time. With --json: one object per line.
    Watch(watch::WatchArgs),
    /// Send events to an address by HTTP, for those who do not run NATS; signed as Standard
    /// Webhooks says.
    Webhook(webhook::WebhookArgs),
    /// Run the TMDB simulator alone.
    TmdbSim(tmdb_sim::TmdbSimArgs),
    /// Show the settings and where each comes from; secrets are masked.
    Config(config::ConfigArgs),
    /// Print shell completions.
    Completions(completions::CompletionsArgs),
}

impl Command {
    /// Whether it runs until it is stopped, and works for others than the reader of its output.
    pub(crate) const fn is_service(&self) -> bool {
        match self {
            Self::Up(_) | Self::Serve(_) | Self::Webhook(_) | Self::TmdbSim(_) => true,
            Self::Demo(_)
            | Self::Ingest(_)
            | Self::Refresh(_)
            | Self::Migrate(_)
            | Self::Remap(_)
            | Self::Doctor
            | Self::Topology(_)
            | Self::Health(_)
            | Self::Jobs { .. }
            | Self::Movie { .. }
            | Self::Dead { .. }
            | Self::Status(_)
            | Self::Watch(_)
            | Self::Config(_)
            | Self::Completions(_) => false,
        }
    }
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
    output::ABSOLUTE.store(cli.absolute, Ordering::Relaxed);
    let filter = if cli.command.is_service() {
        "info,ractor=warn,async_nats=warn"
    } else {
        "error,mangoes=warn"
    };
    runtime::telemetry::init(&config, filter)?;
    let out = Output { json: cli.json };
    match cli.command {
        Command::Up(args) => up::run(config, args).await,
        Command::Demo(args) => demo::run(config, args, out).await,
        Command::Serve(args) => serve::run(config, args).await,
        Command::Ingest(args) => ingest::run(&config, args, out).await,
        Command::Refresh(args) => refresh::run(&config, args, out).await,
        Command::Migrate(args) => migrate::run(&config, &args, out).await,
        Command::Remap(args) => remap::run(&config, args, out).await,
        Command::Doctor => doctor::run(&config, out).await,
        Command::Topology(args) => topology::run(&config, &args, out).await,
        Command::Health(args) => health::run(&config, &args, out).await,
        Command::Jobs { verb } => jobs::run(&config, verb, out).await,
        Command::Movie { verb } => movie::run(&config, verb, out).await,
        Command::Dead { verb } => dead::run(&config, verb, out).await,
        Command::Status(args) => status::run(&config, &args, out).await,
        Command::Watch(args) => watch::run(&config, &args, out).await,
        Command::Webhook(args) => webhook::run(&config, args).await,
        Command::TmdbSim(args) => tmdb_sim::run(args).await,
        Command::Config(args) => config::run(&config, &args, out),
        Command::Completions(args) => Ok(completions::run(&args, Cli::command())),
    }
}
