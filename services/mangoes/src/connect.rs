//! Connections to NATS and Postgres: at the addresses that are set, or to the servers of a `mangoes
//! up` that runs with this data directory.

use anyhow::{Result, bail};
use bus::{Bus, BusOptions, Certificate, JetStreamApi, Login, Namespace, TlsFiles};
use operator::Client;
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

/// The verbs: of the database, or of a process that answers by NATS where only NATS is known.
pub(crate) async fn client(config: &Config) -> Result<Client> {
    if knows_a_database(config)? || config.nats.url.is_none() {
        return Ok(Client::Database(migrated_store(config).await?));
    }
    Ok(Client::Nats(Box::new(bus(config).await?)))
}

/// As [`client`], for commands that read a little and end.
pub(crate) async fn client_to_read(config: &Config) -> Result<Client> {
    if knows_a_database(config)? || config.nats.url.is_none() {
        return Ok(Client::Database(store_to_read(config).await?));
    }
    Ok(Client::Nats(Box::new(bus(config).await?)))
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
    let mut options = match &config.nats.url {
        Some(url) => of_server(config, url.clone()),
        None => match Endpoints::of_running(config)?.and_then(|there| there.nats_url) {
            Some(url) => of_embedded(config, Secret::new(url)),
            None => bail!("no NATS is known: start `mangoes up` here, or set NATS_URL"),
        },
    };
    options.name = CLIENT_NAME.to_owned();
    options.installation = installation;
    Ok(Bus::connect(&options).await?)
}

/// The server that the settings name.
pub(crate) fn of_server(config: &Config, url: Secret) -> BusOptions {
    let nats = &config.nats;
    let own = nats.certificate.clone().zip(nats.key.clone());
    let api = match (&nats.domain, &nats.api_prefix) {
        (Some(domain), _) => JetStreamApi::Domain(domain.clone()),
        (None, Some(prefix)) => JetStreamApi::Prefix(prefix.clone()),
        (None, None) => JetStreamApi::Usual,
    };
    BusOptions {
        login: Login {
            creds: nats.creds.clone(),
            nkey: nats.nkey.clone(),
            url,
            source: nats.source.clone(),
        },
        tls: TlsFiles {
            ca: nats.ca.clone(),
            own: own.map(|(certificate, key)| Certificate { certificate, key }),
        },
        inbox_prefix: nats.inbox_prefix.clone(),
        api,
        namespace: Namespace::new(&nats.namespace),
        replicas: nats.replicas,
        ..BusOptions::default()
    }
}

/// An embedded server. What else is set of NATS is for the server that was given.
pub(crate) fn of_embedded(config: &Config, url: Secret) -> BusOptions {
    BusOptions {
        login: Login { url, ..Login::default() },
        namespace: Namespace::new(&config.nats.namespace),
        replicas: config.nats.replicas,
        ..BusOptions::default()
    }
}
