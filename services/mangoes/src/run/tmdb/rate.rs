//! One rate of TMDB calls for all processes: slots come in slices from one row in Postgres.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use store::{Lease, Store};
use tokio::time::Instant;
use tracing::warn;

/// A slice is this share of a second's worth: small enough to be shared, large enough to spare the
/// row.
const SLICE_SHARE: f64 = 0.125;
/// Calls per second; more than any machine makes.
const UNLIMITED: u32 = 10_000;
/// How long this process makes no calls after a 429 until the shared row says more.
const REST: Duration = Duration::from_secs(1);
/// Pause before the database is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Slots taken from the shared row and not yet used.
#[derive(Debug, Clone, Copy)]
struct Slice {
    left: u32,
    next: Instant,
    interval: Duration,
}

impl Slice {
    /// A slice whose time went by unused is over: its slots would come as a burst.
    fn usable(&self, now: Instant) -> bool {
        self.left > 0 && now.saturating_duration_since(self.next) <= self.interval * self.left
    }
}

#[derive(Debug, Default)]
struct State {
    slice: Option<Slice>,
    /// Set by a 429: this process pauses at once, the others as soon as the row says so.
    rests_until: Option<Instant>,
}

/// The rate that all processes share.
pub(crate) struct SharedRate {
    store: Store,
    rate: u32,
    state: Mutex<State>,
}

impl SharedRate {
    /// `rate`: calls per second of all processes together; 0 = no limit of ours, though a 429 still
    /// pauses everybody.
    pub(crate) fn new(store: Store, rate: u32) -> Self {
        Self { store, rate: if rate == 0 { UNLIMITED } else { rate }, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Instant> {
        let mut state = self.state();
        let now = Instant::now();
        let mut taken = state.slice.filter(|s| s.usable(now))?;
        let at = taken.next;
        taken.left -= 1;
        taken.next += taken.interval;
        state.slice = Some(taken);
        Some(at)
    }

    async fn lease(&self) {
        match self.store.lease_calls(SLICE_SHARE, self.rate).await {
            Ok(Lease { calls, wait, interval }) => {
                self.state().slice =
                    Some(Slice { left: calls, next: Instant::now() + wait, interval });
            }
            Err(e) => {
                warn!(
                    error = %runtime::chain(&e),
                    "no TMDB calls: the database, which holds their shared rate, does not answer"
                );
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
    }
}

impl tmdb::Rate for SharedRate {
    fn slot(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // One caller at a time: the gate is the only one that asks.
            loop {
                let rest = self.state().rests_until.take();
                if let Some(until) = rest {
                    tokio::time::sleep_until(until).await;
                }
                if let Some(at) = self.take() {
                    tokio::time::sleep_until(at).await;
                    return;
                }
                self.lease().await;
            }
        })
    }

    fn refused(&self, retry_after: Option<Duration>) {
        let rest = retry_after.unwrap_or(REST);
        *self.state() = State { slice: None, rests_until: Some(Instant::now() + rest) };
        let (store, rate) = (self.store.clone(), self.rate);
        tokio::spawn(async move {
            if let Err(e) = store.calls_refused(retry_after, rate).await {
                warn!(
                    error = %runtime::chain(&e),
                    "other processes could not be told of the pause after a 429"
                );
            }
        });
    }

    fn credential(&self, accepted: bool) {
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(e) = store.note_credential(accepted).await {
                warn!(
                    error = %runtime::chain(&e),
                    "whether TMDB accepts the credential could not be stored for `mangoes status`"
                );
            }
        });
    }
}
