//! Database, NATS and where they come from: addresses that are set, servers of a running `mangoes up`, or embedded ones.

use std::{
    fs,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use bus::{Bus, BusOptions};
use embedded::{Nats, Postgres};
use runtime::{Config, Secret};
use serde::{Deserialize, Serialize};
use store::Store;

use crate::relay;

/// Database connections of all services in one process.
pub(crate) const CONNECTIONS: u32 = 24;
/// Database connections of a service alone: eight of them stay below the hundred of a Postgres as it comes.
pub(crate) const CONNECTIONS_ALONE: u32 = 8;
/// The port that the `nats` command line uses when nothing else is said.
const NATS_PORT: u16 = 4222;

/// Where the servers of a running `mangoes up` are; readable by its user only.
#[derive(Serialize, Deserialize)]
struct Endpoints {
    nats_url: String,
    database_url: String,
}

/// Servers, embedded or not, and the connections to them.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) nats_url: Secret,
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
            async { if config.nats_url.is_some() { Ok(None) } else { Nats::start(&options).await.map(Some) } },
            async { if config.database_url.is_some() { Ok(None) } else { Postgres::start(&options).await.map(Some) } }
        )?;
        let nats_url = config.nats_url.clone().or_else(|| nats.as_ref().map(|n| Secret::new(n.nats_url())));
        let nats_url = nats_url.unwrap_or(Secret::new(String::new()));
        let database_url = config
            .database_url
            .clone()
            .or_else(|| postgres.as_ref().map(|p| Secret::new(p.database_url())))
            .unwrap_or(Secret::new(String::new()));
        let store = Store::connect(&database_url, "mangoes", wanted.connections).await?;
        store.migrate().await?;
        let bus = Bus::connect(&bus_options(config, nats_url.clone(), "mangoes")).await?;
        check_in(&bus, &store).await?;
        let mut endpoints = None;
        if nats.is_some() || postgres.is_some() {
            let there = Endpoints { nats_url: nats_url.reveal().to_owned(), database_url: database_url.reveal().to_owned() };
            endpoints = Some(write_endpoints(&config.data_dir, &there)?);
        }
        Ok(Self { store, bus, nats_url, nats, postgres, endpoints })
    }

    /// Closes the connections and stops the embedded servers.
    pub(crate) async fn stop(self) -> Result<()> {
        self.bus.close().await;
        self.store.close().await;
        if let Some(path) = self.endpoints
            && let Err(e) = fs::remove_file(&path)
        {
            tracing::debug!(error = %e, "the endpoints file was gone already");
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

/// Streams, consumers, permissions: what a process needs before its work begins. Every question has a deadline of its own: one to a
/// connection that falls silent ends the start.
async fn check_in(bus: &Bus, store: &Store) -> Result<()> {
    relay::make_topology(bus, store).await.context("streams and consumers could not be made at the start")?;
    for d in bus.topology_differences().await? {
        // Somebody may want it so; a server that drops settings in silence is too old and was refused above.
        tracing::warn!(asset = d.asset, setting = d.setting, wanted = %d.wanted, actual = %d.actual, "NATS has it differently");
    }
    Ok(bus.check_publish().await?)
}

fn endpoints_path(data_dir: &Path) -> PathBuf {
    data_dir.join("endpoints.json")
}

fn write_endpoints(data_dir: &Path, endpoints: &Endpoints) -> Result<PathBuf> {
    let path = endpoints_path(data_dir);
    let file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&path);
    let file =
        file.with_context(|| format!("cannot write {}; set MANGOES_DATA_DIR to a folder that can be written", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    serde_json::to_writer(file, endpoints)?;
    Ok(path)
}

fn running(config: &Config) -> Result<Option<Endpoints>> {
    match fs::read(endpoints_path(&config.data_dir)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(_) => Ok(None),
    }
}

/// The database, for the operator's verbs.
pub(crate) async fn connect_store(config: &Config) -> Result<Store> {
    let url = match (&config.database_url, running(config)?) {
        (Some(url), _) => url.clone(),
        (None, Some(endpoints)) => Secret::new(endpoints.database_url),
        (None, None) => bail!("there is no database: start `mangoes up` here, or set DATABASE_URL"),
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
    let url = match (&config.nats_url, running(config)?) {
        (Some(url), _) => url.clone(),
        (None, Some(endpoints)) => Secret::new(endpoints.nats_url),
        (None, None) => bail!("there is no NATS: start `mangoes up` here, or set NATS_URL"),
    };
    Ok(Bus::connect(&bus_options(config, url, "mangoes-cli")).await?)
}

fn bus_options(config: &Config, url: Secret, name: &str) -> BusOptions {
    BusOptions { url, creds: config.nats_creds.clone(), name: name.to_owned(), replicas: config.nats_replicas }
}
