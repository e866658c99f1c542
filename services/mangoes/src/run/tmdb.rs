//! The TMDB client as this configuration wants it, with what it needs of the database: shared rate,
//! log of its calls.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use runtime::{Config, Secret};
use store::Store;
use tracing::warn;

use crate::{call_log::CallRows, rate::SharedRate};

/// How long TMDB may take to say whether it knows the credential.
const CHECK_TIMEOUT: Duration = Duration::from_secs(6);
/// What is sent where no credential is set and none is needed.
const NO_CREDENTIAL: &str = "none";
/// How long the last calls may take to be logged.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// How often the database is asked which runs were cancelled.
const LOOK_FOR_CANCELLED_EVERY: Duration = Duration::from_millis(500);

/// The client with its log.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) client: tmdb::Client,
    calls: CallRows,
}

impl Upstream {
    /// A client under this configuration.
    pub(crate) fn start(config: &Config, store: &Store) -> Result<Self> {
        let rate: Arc<dyn tmdb::Rate> = Arc::new(SharedRate::new(store.clone(), config.tmdb_rate));
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
    let credential = match config.asks_tmdb_itself() {
        true => tmdb::Credential::parse(secret).map_err(runtime::ConfigError)?,
        false => tmdb::Credential::any(secret),
    };
    Ok(tmdb::Config {
        base_url: config.tmdb_base_url.clone(),
        credential: Some(credential),
        concurrency: config.tmdb_concurrency,
        language: config.tmdb_language.clone(),
        region: config.tmdb_region.clone(),
        streaming_regions: config.tmdb_streaming_regions.clone(),
        ..Default::default()
    })
}

/// TMDB itself answers nobody without a credential. What stands in its place, a simulator or a
/// cache, may need none.
pub(crate) fn check_present(config: &Config) -> Result<(), runtime::ConfigError> {
    if config.tmdb_credential.is_some() || !config.asks_tmdb_itself() {
        return Ok(());
    }
    Err(runtime::ConfigError(
        "there is no TMDB credential: set TMDB_TOKEN or TMDB_API_KEY, or try `mangoes up --demo` with the built-in simulator"
            .to_owned(),
    ))
}

/// A wrong credential ends here, before anything hammers TMDB with it. A TMDB that is down does
/// not: work waits for it.
pub(crate) async fn check(config: &Config) -> Result<()> {
    struct Silent;
    impl tmdb::CallLog for Silent {
        fn record(&self, _: tmdb::Call) {}
    }
    let client = tmdb::Client::new(settings(config)?, Arc::new(Silent), Arc::new(tmdb::Unlimited))?;
    match tokio::time::timeout(CHECK_TIMEOUT, client.check()).await {
        Ok(Err(e @ tmdb::TmdbError::Unauthorized { .. })) => Err(e.into()),
        Ok(Err(e)) => {
            warn!(error = %e, "TMDB could not be asked about the credential; work waits until it answers");
            Ok(())
        }
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}
