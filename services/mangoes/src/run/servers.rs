//! Database, NATS and where they come from: addresses that are set, servers of a running `mangoes
//! up`, or embedded ones.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use bus::{Bus, BusOptions};
use embedded::{Nats, Postgres};
use runtime::{Config, Secret};
use serde::{Deserialize, Serialize};
use store::Store;

/// Database connections of all services in one process.
pub(crate) const CONNECTIONS: u32 = 24;
/// Database connections of a service alone: eight of them stay below the hundred of a Postgres as
/// it comes.
pub(crate) const CONNECTIONS_ALONE: u32 = 8;
/// The port that the `nats` command line uses when nothing else is said.
const NATS_PORT: u16 = 4222;

/// How to reach a running `mangoes up`; readable by its user only.
#[derive(Serialize, Deserialize)]
pub(crate) struct Endpoints {
    /// Of the embedded server; one that was given is its giver's secret.
    pub(crate) nats_url: Option<String>,
    /// As `nats_url`.
    pub(crate) database_url: Option<String>,
    /// Whose note this is.
    pid: u32,
    /// Base of the simulator's API, where one stands in TMDB's place.
    pub(crate) tmdb_sim_url: Option<String>,
    /// `host:port` of health checks and metrics.
    pub(crate) listen: Option<String>,
}

/// Servers, embedded or not, and the connections to them.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) nats_url: Secret,
    pub(crate) database_url: Secret,
    nats: Option<Nats>,
    postgres: Option<Postgres>,
    endpoints: Option<PathBuf>,
}

/// Which embedded servers are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Also listen where `nats` looks by default.
    pub(crate) well_known_port: bool,
    /// To the database, at most.
    pub(crate) connections: u32,
}

impl World {
    /// Starts what is not set, connects, migrates, makes the topology.
    pub(crate) async fn start(config: &Config, wanted: Wanted) -> Result<Self> {
        let options = embedded::Options {
            data_dir: config.data_dir.clone(),
            nats_port: wanted.well_known_port.then_some(NATS_PORT),
            durable: true,
        };
        let (nats, postgres) = tokio::try_join!(
            async {
                if config.nats_url.is_some() {
                    Ok(None)
                } else {
                    Nats::start(&options).await.map(Some)
                }
            },
            async {
                if config.database_url.is_some() {
                    Ok(None)
                } else {
                    Postgres::start(&options).await.map(Some)
                }
            }
        )?;
        let of_nats = nats.as_ref().map(|n| Secret::new(n.nats_url()));
        let nats_url = of_nats.or(config.nats_url.clone()).context("there is no NATS")?;
        let of_postgres = postgres.as_ref().map(|p| Secret::new(p.database_url()));
        let database_url =
            of_postgres.or(config.database_url.clone()).context("there is no database")?;
        let store = Store::connect(&database_url, "mangoes", wanted.connections).await?;
        store.migrate().await?;
        let installation = Some(store.installation_id().await?);
        // The credentials file is for the server that was given, not for an embedded one.
        let creds = config.nats_creds.clone().filter(|_| nats.is_none());
        let options =
            BusOptions { creds, installation, ..bus_options(config, nats_url.clone(), "mangoes") };
        let bus = Bus::connect(&options).await?;
        check_in(&bus, &store).await?;
        Ok(Self { store, bus, nats_url, database_url, nats, postgres, endpoints: None })
    }

    /// Leaves a note in the data directory, for the command line, of how to reach everything; gone
    /// at the end.
    pub(crate) fn announce(
        &mut self,
        data_dir: &Path,
        tmdb_sim_url: Option<String>,
        listen: String,
    ) {
        let nats_url = self.nats.as_ref().map(Nats::nats_url);
        let database_url = self.postgres.as_ref().map(Postgres::database_url);
        let there = Endpoints {
            nats_url,
            database_url,
            pid: std::process::id(),
            tmdb_sim_url,
            listen: Some(listen),
        };
        match write_endpoints(data_dir, &there) {
            Ok(path) => self.endpoints = Some(path),
            // The work does not need it.
            Err(e) => {
                tracing::warn!(error = %runtime::chain(e.as_ref()), "the command line has to be told NATS_URL and DATABASE_URL")
            }
        }
    }

    /// Closes the connections and stops the embedded servers.
    pub(crate) async fn stop(self) -> Result<()> {
        self.bus.close().await;
        self.store.close().await;
        if let Some(path) = self.endpoints {
            remove_own(&path);
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

/// Streams, consumers, permissions: what a process needs before its work begins. Every question has
/// a deadline of its own: one to a connection that falls silent ends the start.
async fn check_in(bus: &Bus, store: &Store) -> Result<()> {
    outbox::make_topology(bus, store)
        .await
        .context("streams and consumers could not be made at the start")?;
    for d in bus.topology_differences().await? {
        // Somebody may want it so; a server that drops settings in silence is too old and was
        // refused above.
        tracing::warn!(asset = d.asset, setting = d.setting, wanted = %d.wanted, actual = %d.actual, "NATS has it differently");
    }
    Ok(bus.check_publish().await?)
}

fn endpoints_path(data_dir: &Path) -> PathBuf {
    data_dir.join("endpoints.json")
}

fn write_endpoints(data_dir: &Path, endpoints: &Endpoints) -> Result<PathBuf> {
    let path = endpoints_path(data_dir);
    let place = || {
        format!(
            "cannot write {}; set MANGOES_DATA_DIR to a folder that can be written",
            path.display()
        )
    };
    if !data_dir.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).with_context(place)?;
    }
    // By way of a second name: whoever reads it finds all of it or nothing.
    let fresh = path.with_extension("new");
    drop(fs::remove_file(&fresh));
    let file = fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&fresh)
        .with_context(place)?;
    serde_json::to_writer(file, endpoints)?;
    fs::rename(&fresh, &path).with_context(place)?;
    Ok(path)
}

/// Removes this process's note; a later process may have left its own.
fn remove_own(path: &Path) {
    let note =
        fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Endpoints>(&bytes).ok());
    if note.is_some_and(|note| note.pid == std::process::id())
        && let Err(e) = fs::remove_file(path)
    {
        tracing::debug!(error = %e, "the note of how to reach everything stays");
    }
}

/// The note of a `mangoes up` that runs here.
pub(crate) fn running(config: &Config) -> Result<Option<Endpoints>> {
    let path = endpoints_path(&config.data_dir);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(
            serde_json::from_slice(&bytes)
                .with_context(|| format!("{} cannot be read", path.display()))?,
        )),
        Err(_) => Ok(None),
    }
}

/// Whether there is a database to ask: one that is set, or that of a `mangoes up` here.
pub(crate) fn knows_a_database(config: &Config) -> Result<bool> {
    Ok(config.database_url.is_some()
        || running(config)?.is_some_and(|there| there.database_url.is_some()))
}

/// The database, for the operator's verbs.
pub(crate) async fn connect_store(config: &Config) -> Result<Store> {
    let of_running = || {
        Ok::<_, anyhow::Error>(
            running(config)?.and_then(|there| there.database_url).map(Secret::new),
        )
    };
    let url = config.database_url.clone().map_or_else(of_running, |url| Ok(Some(url)))?;
    let Some(url) = url else {
        bail!("there is no database: start `mangoes up` here, or set DATABASE_URL")
    };
    let store = Store::connect(&url, "mangoes-cli", 4).await?;
    Ok(store)
}

/// The database with all migrations, for verbs that read its tables.
pub(crate) async fn connect_migrated(config: &Config) -> Result<Store> {
    let store = connect_store(config).await?;
    if !store.is_migrated().await? {
        bail!("the database lacks tables: run `mangoes migrate` first");
    }
    Ok(store)
}

/// NATS, for the operator's verbs.
pub(crate) async fn connect_bus(config: &Config) -> Result<Bus> {
    connect_bus_as(config, None).await
}

/// NATS, whose streams have to belong to this installation.
pub(crate) async fn connect_bus_as(config: &Config, installation: Option<String>) -> Result<Bus> {
    let (url, creds) = match &config.nats_url {
        Some(url) => (url.clone(), config.nats_creds.clone()),
        None => match running(config)?.and_then(|there| there.nats_url) {
            Some(url) => (Secret::new(url), None),
            None => bail!("there is no NATS: start `mangoes up` here, or set NATS_URL"),
        },
    };
    Ok(Bus::connect(&BusOptions { creds, installation, ..bus_options(config, url, "mangoes-cli") })
        .await?)
}

fn bus_options(config: &Config, url: Secret, name: &str) -> BusOptions {
    let creds = config.nats_creds.clone();
    BusOptions {
        url,
        creds,
        name: name.to_owned(),
        replicas: config.nats_replicas,
        installation: None,
    }
}
