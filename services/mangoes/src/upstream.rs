//! What the TMDB client needs of the database: the shared budget, and the log of its calls.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use futures::future::BoxFuture;
use proto::Lane;
use runtime::Config;
use store::{ApiCall, Store};
use tokio::{
    sync::{Mutex, mpsc},
    time::Instant,
};
use tracing::warn;

/// Calls that may wait to be written; what comes on top is counted and dropped, for a log may never stop the work.
const LOG_WAITING_MAX: usize = 20_000;
const LOG_BATCH_MAX: usize = 500;
/// First pause after a 429 without Retry-After; doubles up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A client under this configuration.
pub(crate) fn client(config: &Config, store: &Store) -> Result<tmdb::Client> {
    let credential = match &config.tmdb_credential {
        Some(secret) if config.tmdb_base_url.contains("themoviedb.org") => {
            Some(tmdb::Credential::parse(secret.reveal()).map_err(runtime::ConfigError)?)
        }
        Some(secret) => Some(tmdb::Credential::any(secret.reveal())),
        None => None,
    };
    let settings = tmdb::Config {
        base_url: config.tmdb_base_url.clone(),
        credential,
        concurrency: config.tmdb_concurrency,
        ..Default::default()
    };
    let budget: Arc<dyn tmdb::Budget> = match config.tmdb_rate {
        0 => Arc::new(tmdb::Unlimited),
        rate => Arc::new(SharedBudget {
            store: store.clone(),
            rate,
            slice: Mutex::default(),
            pause: std::sync::Mutex::new(PAUSE_FIRST),
        }),
    };
    Ok(tmdb::Client::new(settings, Arc::new(CallRows::start(store.clone())), budget)?)
}

/// Writes calls in batches, in a task of its own.
struct CallRows(mpsc::Sender<ApiCall>);

impl CallRows {
    fn start(store: Store) -> Self {
        let (sender, mut waiting) = mpsc::channel(LOG_WAITING_MAX);
        tokio::spawn(async move {
            let mut day = None;
            let mut batch = Vec::new();
            while waiting.recv_many(&mut batch, LOG_BATCH_MAX).await > 0 {
                let today = batch.first().map(|c: &ApiCall| c.created_at.date());
                if day != today && store.ensure_log_partitions().await.is_ok() {
                    day = today;
                }
                if let Err(e) = store.log_calls(&batch).await {
                    warn!(error = %runtime::chain(&e), calls = batch.len(), "TMDB calls were not logged");
                }
                batch.clear();
            }
        });
        Self(sender)
    }
}

impl tmdb::CallLog for CallRows {
    fn record(&self, call: tmdb::Call) {
        let row = ApiCall {
            endpoint: call.endpoint,
            method: call.method.to_owned(),
            http_status: call.http_status.map(i32::from),
            query_params: call.query_params,
            response_size_bytes: call.response_size_bytes,
            response_time_ms: call.response_time_ms,
            results_count: call.results_count,
            service: call.service.to_owned(),
            tmdb_id: call.tmdb_id,
            error_message: call.error_message,
            retry_count: call.retry_count,
            run_id: call.run_id,
            created_at: call.created_at,
        };
        if self.0.try_send(row).is_err() {
            warn!("a TMDB call was not logged: too many wait for the database");
        }
    }
}

/// Slots taken from the shared row and not yet used.
#[derive(Default)]
struct Slice {
    left: u32,
    next: Option<Instant>,
}

/// One rate for all processes: slots come in slices from one row in Postgres.
struct SharedBudget {
    store: Store,
    rate: u32,
    slice: Mutex<Slice>,
    pause: std::sync::Mutex<Duration>,
}

impl SharedBudget {
    async fn slot(&self) -> Instant {
        let mut slice = self.slice.lock().await;
        // An eighth of a second's worth: small enough to be shared, large enough to spare the row.
        let size = (self.rate / 8).max(1);
        while slice.left == 0 {
            match self.store.lease_calls(size, self.rate).await {
                Ok(lease) => *slice = Slice { left: size, next: Some(Instant::now() + lease.wait) },
                Err(e) => {
                    warn!(error = %runtime::chain(&e), "no TMDB budget without the database");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        let at = slice.next.unwrap_or_else(Instant::now);
        slice.left -= 1;
        slice.next = Some(at + Duration::from_secs(1) / self.rate);
        // The lock is held until the slot's time, so that slots go out in order and evenly.
        tokio::time::sleep_until(at).await;
        at
    }
}

impl tmdb::Budget for SharedBudget {
    fn acquire(&self, _lane: Lane) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.slot().await;
        })
    }

    fn refused(&self, retry_after: Option<Duration>) {
        let own = match self.pause.lock() {
            Ok(mut pause) => {
                let longer = (*pause * 2).min(PAUSE_MAX);
                std::mem::replace(&mut *pause, longer)
            }
            Err(_) => PAUSE_FIRST,
        };
        let (store, pause) = (self.store.clone(), retry_after.unwrap_or(own));
        tokio::spawn(async move {
            if let Err(e) = store.pause_calls(pause).await {
                warn!(error = %runtime::chain(&e), "the pause could not be shared");
            }
        });
    }

    fn answered(&self) {
        if let Ok(mut pause) = self.pause.lock() {
            *pause = PAUSE_FIRST;
        }
    }
}
