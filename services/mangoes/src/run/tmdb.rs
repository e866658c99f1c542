//! The TMDB client of a process: as the configuration says, with the call rate that all processes
//! share and the log of calls, both in the database.

mod call_log;
mod rate;

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use catalogue::MapOptions;
use runtime::{Config, Secret};
use store::Store;
use tracing::warn;

use self::{call_log::CallRows, rate::SharedRate};

/// How long TMDB may take to say whether it accepts the credential.
const CHECK_TIMEOUT: Duration = Duration::from_secs(6);
/// What is sent where no credential is set and none is needed.
const NO_CREDENTIAL: &str = "none";
/// How long the last calls may take to be logged.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// How often the database is asked which runs were cancelled.
const LOOK_FOR_CANCELLED_EVERY: Duration = Duration::from_millis(500);

/// The client with its log.
pub(crate) struct Upstream {
    pub(crate) client: tmdb::Client,
    calls: CallRows,
}

impl Upstream {
    /// A client under this configuration.
    pub(crate) fn start(config: &Config, store: &Store) -> Result<Self> {
        let rate: Arc<dyn tmdb::Rate> = SharedRate::start(store.clone(), config.tmdb_rate);
        let calls = CallRows::start(store.clone());
        let client = tmdb::Client::new(settings(config)?, Arc::new(calls.clone()), rate)?;
        tokio::spawn(watch_cancelled(store.clone(), client.cancelled().clone()));
        Ok(Self { client, calls })
    }

    /// Returns when the calls so far are logged.
    pub(crate) async fn flush(&self) {
        self.calls.flush(FLUSH_TIMEOUT).await;
    }
}

/// Calls of a cancelled run stop within this span and the time of one query.
async fn watch_cancelled(store: Store, cancelled: tmdb::CancelledRuns) {
    loop {
        // While the database is away nobody cancels anything either.
        if let Ok(runs) = store.cancelled_runs().await {
            cancelled.set(runs);
        }
        tokio::time::sleep(LOOK_FOR_CANCELLED_EVERY).await;
    }
}

fn settings(config: &Config) -> Result<tmdb::Config> {
    let secret = config.tmdb_credential.as_ref().map_or(NO_CREDENTIAL, Secret::reveal);
    let is_tmdb = config.asks_tmdb_itself();
    let read = move |secret: &str| {
        if is_tmdb { tmdb::Credential::parse(secret) } else { Ok(tmdb::Credential::any(secret)) }
    };
    let credential = read(secret).map_err(runtime::ConfigError)?;
    let source = config.tmdb_source.clone().map(|source| {
        tmdb::CredentialSource::new(move || match source.read() {
            Ok(secret) => read(secret?.reveal()).ok(),
            Err(error) => {
                warn!(%error, "the credential of TMDB cannot be read again");
                None
            }
        })
    });
    Ok(tmdb::Config {
        base_url: config.tmdb_base_url.clone(),
        credential: Some(credential),
        source,
        concurrency: config.tmdb_concurrency,
        language: config.tmdb_language.clone(),
        adult: config.tmdb_adult,
        region: config.tmdb_region.clone(),
        streaming_regions: config.tmdb_streaming_regions.clone(),
        ..Default::default()
    })
}

/// What the mapping of answers prefers.
pub(crate) fn map_options(config: &Config) -> MapOptions {
    MapOptions {
        language: config.tmdb_language.clone(),
        region: config.tmdb_region.clone(),
        streaming_regions: config.tmdb_streaming_regions.clone(),
    }
}

/// TMDB itself answers nobody without a credential. What replaces it, a simulator or a cache, may
/// need none.
pub(crate) fn check_present(config: &Config) -> Result<(), runtime::ConfigError> {
    if config.tmdb_credential.is_some() || !config.asks_tmdb_itself() {
        return Ok(());
    }
    Err(runtime::ConfigError(
        "no TMDB credential is set: set TMDB_TOKEN or TMDB_API_KEY, or try `mangoes up --demo` \
         with the built-in simulator"
            .to_owned(),
    ))
}

/// Refuses a wrong credential before many calls are made with it. A TMDB that is down is no error:
/// work waits for it.
pub(crate) async fn check(config: &Config) -> Result<()> {
    struct Silent;
    impl tmdb::CallLog for Silent {
        fn record(&self, _: tmdb::Call) {}
    }
    let client = tmdb::Client::new(settings(config)?, Arc::new(Silent), Arc::new(tmdb::Unlimited))?;
    match tokio::time::timeout(CHECK_TIMEOUT, client.check()).await {
        Ok(Err(e @ tmdb::TmdbError::Unauthorized { .. })) => Err(e.into()),
        Ok(Err(e)) => {
            warn!(
                error = %e,
                "TMDB did not say whether it accepts the credential; work waits until it answers"
            );
            Ok(())
        }
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}
