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
const BATCH_MAX: usize = 2_000;
/// A batch is written at this age: what a batch costs beside its rows is worth that of many rows.
const BATCH_AGE: Duration = Duration::from_millis(250);
/// Pause before a batch is tried again while the database does not answer.
const AGAIN: Duration = Duration::from_secs(1);

enum Entry {
    Call(Box<ApiCall>),
    /// Answered when everything before it is written.
    Flush(oneshot::Sender<()>),
}

impl Entry {
    const fn is_awaited(&self) -> bool {
        matches!(self, Self::Flush(_))
    }
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
        fill(&mut entries, &mut waiting).await;
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

/// Waits for more, until the batch is full or old, or somebody waits for it.
async fn fill(entries: &mut Vec<Entry>, waiting: &mut mpsc::Receiver<Entry>) {
    let old = tokio::time::Instant::now() + BATCH_AGE;
    let mut seen = 0;
    while entries.len() < BATCH_MAX && !entries.iter().skip(seen).any(Entry::is_awaited) {
        seen = entries.len();
        let room = BATCH_MAX - entries.len();
        // The end of the channel: what is there is written.
        let more = tokio::time::timeout_at(old, waiting.recv_many(entries, room)).await;
        if more.is_err() || more == Ok(0) {
            return;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Entry {
        Entry::Call(Box::new(ApiCall {
            endpoint: "/movie/603".to_owned(),
            method: "GET".to_owned(),
            http_status: Some(200),
            query_params: serde_json::Value::Null,
            response_size_bytes: None,
            response_time_ms: 1,
            results_count: None,
            service: "refresh".to_owned(),
            tmdb_id: Some(603),
            error_message: None,
            retry_count: 0,
            run_id: None,
            created_at: time::OffsetDateTime::UNIX_EPOCH,
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_written_when_it_is_old_or_full_or_awaited() {
        let (entries, mut waiting) = mpsc::channel(WAITING_MAX);
        let begun = tokio::time::Instant::now();
        let mut batch = vec![call()];
        entries.send(call()).await.unwrap();
        fill(&mut batch, &mut waiting).await;
        assert_eq!((batch.len(), begun.elapsed()), (2, BATCH_AGE), "an old one");
        let begun = tokio::time::Instant::now();
        for _ in 0..2 * BATCH_MAX {
            entries.send(call()).await.unwrap();
        }
        fill(&mut batch, &mut waiting).await;
        assert_eq!((batch.len(), begun.elapsed()), (BATCH_MAX, Duration::ZERO), "a full one");
        let mut batch = vec![Entry::Flush(oneshot::channel().0)];
        fill(&mut batch, &mut waiting).await;
        assert_eq!((batch.len(), begun.elapsed()), (1, Duration::ZERO), "an awaited one");
    }
}
