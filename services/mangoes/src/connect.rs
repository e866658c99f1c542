//! Connections to NATS and Postgres: at the addresses that are set, or to the servers of a `mangoes
//! up` that runs with this data directory.

use anyhow::{Result, bail};
use bus::{Bus, BusOptions};
use runtime::{Config, Secret};
use store::{Store, StoreOptions};

use crate::endpoints::Endpoints;

/// Database connections of one command.
const CONNECTIONS: u32 = 4;
/// Of one that reads a little and ends: one to read, and the one that the store keeps in reserve.
/// To open a third would take longer than the reading.
const CONNECTIONS_TO_READ: u32 = 2;
/// As the servers list their clients.
const CLIENT_NAME: &str = "mangoes-cli";

/// Whether there is a database to ask.
pub(crate) fn knows_a_database(config: &Config) -> Result<bool> {
    Ok(config.database_url.is_some()
        || Endpoints::of_running(config)?.is_some_and(|there| there.database_url.is_some()))
}

/// The database, as it is.
pub(crate) async fn store(config: &Config) -> Result<Store> {
    store_with(config, CONNECTIONS).await
}

async fn store_with(config: &Config, connections: u32) -> Result<Store> {
    let url = match &config.database_url {
        Some(url) => Some(url.clone()),
        None => {
            Endpoints::of_running(config)?.and_then(|there| there.database_url.map(Secret::new))
        }
    };
    let Some(url) = url else {
        bail!("no database is known: start `mangoes up` here, or set DATABASE_URL or PGHOST")
    };
    let connections = config.database_pool.map_or(connections, |most| most.min(connections));
    let options = StoreOptions {
        source: config.database_source.clone(),
        app_schema: config.app_schema.clone(),
        ..StoreOptions::new(&url, CLIENT_NAME, connections)
    };
    Ok(Store::open(options).await?)
}

/// The database with all migrations, for commands that read its tables.
pub(crate) async fn migrated_store(config: &Config) -> Result<Store> {
    migrated(store(config).await?).await
}

/// As [`migrated_store`], for commands that read a little and end.
pub(crate) async fn store_to_read(config: &Config) -> Result<Store> {
    migrated(store_with(config, CONNECTIONS_TO_READ).await?).await
}

async fn migrated(store: Store) -> Result<Store> {
    if !store.is_migrated().await? {
        bail!("tables are missing in the database: run `mangoes migrate` first");
    }
    Ok(store)
}

/// NATS, without a check of which database its streams belong to.
pub(crate) async fn bus(config: &Config) -> Result<Bus> {
    bus_of(config, None).await
}

/// NATS, whose streams have to belong to this database.
pub(crate) async fn bus_of_store(config: &Config, store: &Store) -> Result<Bus> {
    bus_of(config, Some(store.installation_id().await?)).await
}

async fn bus_of(config: &Config, installation: Option<String>) -> Result<Bus> {
    let (url, creds) = match &config.nats_url {
        Some(url) => (url.clone(), config.nats_creds.clone()),
        None => match Endpoints::of_running(config)?.and_then(|there| there.nats_url) {
            Some(url) => (Secret::new(url), None),
            None => bail!("no NATS is known: start `mangoes up` here, or set NATS_URL"),
        },
    };
    let name = CLIENT_NAME.to_owned();
    let replicas = config.nats_replicas;
    Ok(Bus::connect(&BusOptions { url, creds, name, replicas, installation }).await?)
}
