//! `mangoes up`: all services in one process, with embedded servers where none are given.

use std::path::PathBuf;

use anyhow::Result;
use runtime::{Config, ConfigError, mask_url};
use tmdb_sim::Sim;

use super::{
    process::Process,
    servers::{ServerOptions, Servers},
    services::Service,
    simulator, tmdb,
};
use crate::output;

/// The options of `mangoes up`.
#[derive(Debug)]
pub(crate) struct UpOptions {
    /// Use the simulator in place of TMDB.
    pub(crate) demo: bool,
    /// The recorded answers that it serves.
    pub(crate) recorded: Option<PathBuf>,
    /// Start an embedded server beside the one that is given.
    pub(crate) embed_missing: bool,
}

/// Runs everything until the process is stopped.
pub(crate) async fn up(mut config: Config, options: UpOptions) -> Result<()> {
    check_pair(&config, options.embed_missing)?;
    let sim = if options.demo {
        Some(simulator::start(&mut config, options.recorded).await?)
    } else {
        None
    };
    tmdb::check_present(&config)?;
    tmdb::check(&config).await?;
    let wanted = ServerOptions { default_port: true, services: Service::ALL.len() };
    let servers = Servers::start(&config, wanted).await?;
    let mut process = Process::start(servers, &config, &Service::ALL).await?;
    let listen = process.address.to_string();
    let servers = process.servers();
    servers.announce(&config, sim.as_ref().map(Sim::base_url), listen.clone());
    for line in how_to_reach(&config, servers, sim.as_ref(), &listen) {
        output::line(&line);
    }
    process.until_stopped().await?;
    if let Some(sim) = sim {
        sim.stop().await;
    }
    Ok(())
}

/// A server of somebody else is used only with the database that belongs to it: an empty one beside
/// it would publish events of its own there.
fn check_pair(config: &Config, embed_missing: bool) -> Result<(), ConfigError> {
    let (set, missing) = match (&config.nats.url, &config.database_url) {
        (Some(_), None) => ("NATS_URL", "DATABASE_URL"),
        (None, Some(_)) => (config.database_named_by(), "NATS_URL"),
        (Some(_), Some(_)) | (None, None) => return Ok(()),
    };
    if embed_missing {
        return Ok(());
    }
    Err(ConfigError(format!(
        "{set} is set and {missing} is not: set both to servers that belong together, unset both \
         to use embedded servers, or add --embed-missing to start an embedded server beside the \
         one that is set"
    )))
}

fn how_to_reach(
    config: &Config,
    servers: &Servers,
    sim: Option<&Sim>,
    listen: &str,
) -> Vec<String> {
    let tmdb = match sim {
        Some(sim) => format!("the built-in simulator, with invented movies: {}", sim.base_url()),
        None => mask_url(&config.tmdb_base_url),
    };
    let directory = match config.data_dir.to_str() {
        Some(".mangoes") | None => String::new(),
        Some(other) => format!(" --data-dir '{other}'"),
    };
    vec![
        "mangoes is up: all services run in this process. Stop it with Ctrl-C.".to_owned(),
        format!("  health    http://{listen}/readyz"),
        format!("  metrics   http://{listen}/metrics"),
        format!("  TMDB      {tmdb}"),
        format!("  NATS      {}", mask_url(servers.nats_url.reveal())),
        format!("  Postgres  {}", mask_url(servers.database_url.reveal())),
        "In another shell:".to_owned(),
        format!(
            "  eval \"$(mangoes{directory} config --env)\"     \
             # sets NATS_URL and DATABASE_URL with their passwords"
        ),
        "  nats pub -J movies.ingest.movie '{\"tmdb_id\": 603}'".to_owned(),
        format!("  nats sub '{}'", servers.bus.subject("movies.changed.>")),
        "  mangoes status".to_owned(),
    ]
}
