//! NATS and Postgres of a process: servers that are given, or embedded ones that it starts and
//! stops; with the connections to them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use bus::{Bus, BusOptions};
use embedded::{Nats, Postgres};
use runtime::{Config, Secret};
use store::{Store, StoreOptions};

use crate::{connect, endpoints::Endpoints};

/// Database connections of a process with one service: eight such processes stay below the hundred
/// that Postgres allows by default.
const CONNECTIONS_PER_SERVICE: u32 = 8;
/// Database connections of a process with all services.
const CONNECTIONS_MAX: u32 = 24;
/// The port that the `nats` command line uses by default.
const NATS_PORT: u16 = 4222;

/// Servers, embedded or not, and the connections to them.
pub(crate) struct Servers {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) nats_url: Secret,
    pub(crate) database_url: Secret,
    /// The installation that the database belonged to at the start.
    pub(crate) installation: String,
    nats: Option<Nats>,
    postgres: Option<Postgres>,
    endpoints: Option<PathBuf>,
}

/// What a process wants of its servers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerOptions {
    /// An embedded NATS also listens where the `nats` command line looks by default.
    pub(crate) default_port: bool,
    /// Services that share the connections to the database, where nobody says how many.
    pub(crate) services: usize,
}

impl ServerOptions {
    fn connections(self, config: &Config) -> u32 {
        if let Some(connections) = config.database_pool {
            return connections;
        }
        let services = u32::try_from(self.services).unwrap_or(u32::MAX);
        services.saturating_mul(CONNECTIONS_PER_SERVICE).min(CONNECTIONS_MAX)
    }
}

impl Servers {
    /// Starts what is not given, connects, migrates, makes streams and consumers.
    pub(crate) async fn start(config: &Config, options: ServerOptions) -> Result<Self> {
        let (nats, postgres) = start_embedded(config, options).await?;
        let of_nats = nats.as_ref().map(|n| Secret::new(n.nats_url()));
        let nats_url = of_nats.or(config.nats.url.clone()).context("NATS_URL is not set")?;
        let of_postgres = postgres.as_ref().map(|p| Secret::new(p.database_url()));
        let database_url =
            of_postgres.or(config.database_url.clone()).context("DATABASE_URL is not set")?;
        let store = Store::open(StoreOptions {
            url: database_url.clone(),
            // The files are for the server that was given, not for an embedded one.
            source: config.database_source.clone().filter(|_| postgres.is_none()),
            app_schema: config.app_schema.clone(),
            name: "mangoes".to_owned(),
            connections: options.connections(config),
        })
        .await?;
        store.migrate().await?;
        store.check_rights().await?;
        store.forget_other_cluster().await?;
        let installation = store.installation_id().await?;
        let options = match nats {
            Some(_) => connect::of_embedded(config, nats_url.clone()),
            None => connect::of_server(config, nats_url.clone()),
        };
        let (name, installation_of_streams) = ("mangoes".to_owned(), Some(installation.clone()));
        let options = BusOptions { name, installation: installation_of_streams, ..options };
        let bus = Bus::connect(&options).await?;
        prepare(&bus, &store).await?;
        Ok(Self {
            store,
            bus,
            nats_url,
            database_url,
            installation,
            nats,
            postgres,
            endpoints: None,
        })
    }

    /// Leaves a note of how to reach everything in the data directory, for the command line.
    pub(crate) fn announce(
        &mut self,
        config: &Config,
        tmdb_sim_url: Option<String>,
        listen: String,
    ) {
        let endpoints = Endpoints {
            nats_url: self.nats.as_ref().map(Nats::nats_url),
            database_url: self.postgres.as_ref().map(Postgres::database_url),
            pid: std::process::id(),
            tmdb_sim_url,
            listen: Some(listen),
        };
        match endpoints.write(&config.data_dir) {
            Ok(path) => self.endpoints = Some(path),
            // The work goes on without it.
            Err(error) => {
                tracing::warn!(
                    error = %runtime::chain(error.as_ref()),
                    "other commands cannot find this process by themselves: set NATS_URL and \
                     DATABASE_URL for them"
                );
            }
        }
    }

    /// Closes the connections and stops the embedded servers.
    pub(crate) async fn stop(self) -> Result<()> {
        self.bus.close().await;
        self.store.close().await;
        if let Some(path) = self.endpoints {
            Endpoints::remove(&path);
        }
        if let Some(nats) = self.nats {
            nats.stop().await?;
        }
        if let Some(postgres) = self.postgres {
            postgres.stop().await?;
        }
        Ok(())
    }
}

async fn start_embedded(
    config: &Config,
    options: ServerOptions,
) -> Result<(Option<Nats>, Option<Postgres>)> {
    let options = embedded::Options {
        data_dir: config.data_dir.clone(),
        nats_port: options.default_port.then_some(NATS_PORT),
        durable: true,
    };
    let nats = async {
        if config.nats.url.is_some() {
            return Ok(None);
        }
        Nats::start(&options).await.map(Some)
    };
    let postgres = async {
        if config.database_url.is_some() {
            return Ok(None);
        }
        Postgres::start(&options).await.map(Some)
    };
    Ok(tokio::try_join!(nats, postgres)?)
}

/// Streams, consumers, permissions: what a process needs before its work begins. Every question has
/// a deadline of its own: a connection that falls silent ends the start.
async fn prepare(bus: &Bus, store: &Store) -> Result<()> {
    outbox::make_topology(bus, store)
        .await
        .context("streams and consumers could not be made at the start")?;
    for difference in bus.topology_differences().await? {
        // Somebody may want it so. A server that drops settings in silence is too old, and was
        // refused above.
        tracing::warn!(
            asset = difference.asset,
            setting = difference.setting,
            actual = %difference.actual,
            expected = %difference.wanted,
            "the configuration in NATS differs from nats/*.json"
        );
    }
    Ok(bus.check_publish().await?)
}
