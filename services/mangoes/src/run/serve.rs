//! `mangoes serve`: services against servers that are given.

use anyhow::{Result, bail};
use runtime::{Config, ConfigError};
use tracing::info;

use super::{
    process::Process,
    servers::{ServerOptions, Servers},
    services::Service,
    tmdb,
};

/// Runs these services until the process is stopped.
pub(crate) async fn serve(config: Config, wanted: &[Service]) -> Result<()> {
    if config.nats.url.is_none() || config.database_url.is_none() {
        bail!(ConfigError(
            "`mangoes serve` needs NATS_URL and DATABASE_URL; `mangoes up` runs all services with \
             embedded servers"
                .to_owned()
        ));
    }
    if wanted.iter().any(|service| service.calls_tmdb()) {
        tmdb::check_present(&config)?;
        tmdb::check(&config).await?;
    }
    let options = ServerOptions { default_port: false, services: wanted.len() };
    let servers = Servers::start(&config, options).await?;
    let process = Process::start(servers, &config, wanted).await?;
    let names: Vec<_> = wanted.iter().map(|service| service.name()).collect();
    info!(services = names.join(", "), listen = %process.address, "services are running");
    process.until_stopped().await
}
