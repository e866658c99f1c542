//! Writes TMDB calls to `tmdb_call` in batches, in a task of its own: a log may never stop the
//! work. What cannot be written is counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use store::{ApiCall, Store, StoreError};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

/// Calls that may wait to be written; further ones are counted and dropped.
const WAITING_MAX: usize = 20_000;
const BATCH_MAX: usize = 500;
/// Pause before a batch is tried again while the database does not answer.
const AGAIN: Duration = Duration::from_secs(1);

enum Entry {
    Call(Box<ApiCall>),
    /// Answered when everything before it is written.
    Flush(oneshot::Sender<()>),
}

/// The way to the log. Cheap to clone.
#[derive(Clone)]
pub(crate) struct CallRows {
    entries: mpsc::Sender<Entry>,
    lost: Arc<AtomicU64>,
}

impl CallRows {
    pub(crate) fn start(store: Store) -> Self {
        let (entries, waiting) = mpsc::channel(WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        tokio::spawn(write(store, waiting, Arc::clone(&lost)));
        Self { entries, lost }
    }

    /// Returns when everything so far is written, or cannot be within `limit`.
    pub(crate) async fn flush(&self, limit: Duration) {
        let (written, done) = oneshot::channel();
        let flushed = async {
            if self.entries.send(Entry::Flush(written)).await.is_ok() {
                // The task answers, or is gone together with the process.
                let _ = done.await;
            }
        };
        if tokio::time::timeout(limit, flushed).await.is_err() {
            warn!("the last TMDB calls could not be written to tmdb_call");
        }
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
            run_id: call.run_id.map(Into::into),
            created_at: call.created_at,
        };
        if self.entries.try_send(Entry::Call(Box::new(row))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn write(store: Store, mut waiting: mpsc::Receiver<Entry>, lost: Arc<AtomicU64>) {
    let mut entries = Vec::new();
    while waiting.recv_many(&mut entries, BATCH_MAX).await > 0 {
        let (mut calls, mut flushes) = (Vec::new(), Vec::new());
        for entry in entries.drain(..) {
            match entry {
                Entry::Call(call) => calls.push(*call),
                Entry::Flush(done) => flushes.push(done),
            }
        }
        write_batch(&store, &calls, &lost).await;
        for done in flushes {
            // Whoever waited has given up.
            let _ = done.send(());
        }
    }
}

async fn write_batch(store: &Store, calls: &[ApiCall], lost: &AtomicU64) {
    loop {
        match store.log_calls(calls).await {
            Ok(()) => break,
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(AGAIN).await,
            Err(e) => {
                warn!(
                    error = %runtime::chain(&e),
                    calls = calls.len(),
                    "TMDB calls could not be written to tmdb_call"
                );
                lost.fetch_add(u64::try_from(calls.len()).unwrap_or(0), Ordering::Relaxed);
                break;
            }
        }
    }
    let missing = lost.swap(0, Ordering::Relaxed);
    if missing > 0 && store.note_unlogged(missing).await.is_err() {
        lost.fetch_add(missing, Ordering::Relaxed);
    }
}
