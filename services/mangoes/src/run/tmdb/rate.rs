//! One rate of TMDB calls for all processes: slots come in slices from one row in Postgres.
//!
//! The next slice is leased while the last one is used, so that no call waits for the database
//! where a slot is free. Without a limit of ours no slot is leased at all, but for the time after a
//! 429: a look at the row every [`LOOK_EVERY`] tells whether TMDB refused another process.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures::future::BoxFuture;
use store::{Lease, Store};
use tokio::{task::JoinHandle, time::Instant};
use tracing::warn;

/// A slice is this share of a second's worth: small enough to be shared, large enough to spare the
/// row.
const SLICE_SHARE: f64 = 0.125;
/// Calls per second, where a 429 lowers a rate without a limit; more than any machine makes.
const UNLIMITED: u32 = 10_000;
/// How often a process without a limit of ours looks whether TMDB refused another one.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long this process makes no calls after a 429 until the shared row says more.
const REST: Duration = Duration::from_secs(1);
/// Pause before the database is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Slots taken from the shared row and not yet used.
#[derive(Debug, Clone, Copy)]
struct Slice {
    size: u32,
    left: u32,
    next: Instant,
    interval: Duration,
}

impl Slice {
    /// A slice whose time went by unused is over: its slots would come as a burst.
    fn usable(&self, now: Instant) -> bool {
        self.left > 0 && now.saturating_duration_since(self.next) <= self.interval * self.left
    }

    /// Half of it is used: the next one is leased meanwhile.
    const fn runs_low(&self) -> bool {
        self.left <= self.size / 2
    }

    /// The time of its first free slot, which then is taken.
    fn take(&mut self) -> Instant {
        let at = self.next;
        self.left = self.left.saturating_sub(1);
        self.next += self.interval;
        at
    }
}

#[derive(Debug, Default)]
struct State {
    slice: Option<Slice>,
    /// The slice after it. `None` of the task: the database did not answer.
    ahead: Option<JoinHandle<Option<Slice>>>,
    /// TMDB refused calls, of whichever process: the row holds pause and rate.
    is_refused: bool,
    /// Set by a 429: this process pauses at once, the others as soon as the row says so.
    rests_until: Option<Instant>,
}

/// The rate that all processes share.
pub(crate) struct SharedRate {
    store: Store,
    rate: u32,
    /// Slots are leased all the time, and not only after a 429.
    is_limited: bool,
    state: Mutex<State>,
}

impl SharedRate {
    /// `rate`: calls per second of all processes together; 0 = no limit of ours, though a 429 still
    /// pauses everybody.
    pub(crate) fn start(store: Store, rate: u32) -> Arc<Self> {
        let is_limited = rate > 0;
        let rate = if is_limited { rate } else { UNLIMITED };
        let shared = Arc::new(Self { store, rate, is_limited, state: Mutex::default() });
        if !is_limited {
            tokio::spawn(watch_refusals(Arc::downgrade(&shared)));
        }
        shared
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leases(&self) -> bool {
        self.is_limited || self.state().is_refused
    }

    fn take(&self) -> Option<Instant> {
        let mut state = self.state();
        let now = Instant::now();
        let mut slice = state.slice.filter(|s| s.usable(now))?;
        let at = slice.take();
        state.slice = Some(slice);
        if slice.runs_low() && state.ahead.is_none() {
            let (store, rate) = (self.store.clone(), self.rate);
            state.ahead = Some(tokio::spawn(async move { lease(&store, rate).await }));
        }
        Some(at)
    }

    /// The slice that was leased ahead, or else a new one.
    async fn next_slice(&self) {
        let ahead = self.state().ahead.take();
        let slice = match ahead {
            // It panicked: as if the database had not answered.
            Some(ahead) => ahead.await.unwrap_or_default(),
            None => lease(&self.store, self.rate).await,
        };
        match slice {
            Some(slice) => self.state().slice = Some(slice),
            None => tokio::time::sleep(ASK_AGAIN).await,
        }
    }
}

/// `None`: the database does not answer.
async fn lease(store: &Store, rate: u32) -> Option<Slice> {
    match store.lease_calls(SLICE_SHARE, rate).await {
        Ok(Lease { calls, wait, interval }) => {
            Some(Slice { size: calls, left: calls, next: Instant::now() + wait, interval })
        }
        Err(e) => {
            warn!(
                error = %runtime::chain(&e),
                "no TMDB calls: the database, which holds their shared rate, does not answer"
            );
            None
        }
    }
}

/// Ends with the rate.
async fn watch_refusals(rate: Weak<SharedRate>) {
    while let Some(rate) = rate.upgrade() {
        // While the database is away, what was known before holds.
        if let Ok(is_refused) = rate.store.calls_are_refused().await {
            rate.state().is_refused = is_refused;
        }
        drop(rate);
        tokio::time::sleep(LOOK_EVERY).await;
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
                if !self.leases() {
                    return;
                }
                if let Some(at) = self.take() {
                    tokio::time::sleep_until(at).await;
                    return;
                }
                self.next_slice().await;
            }
        })
    }

    fn refused(&self, retry_after: Option<Duration>) {
        let rest = retry_after.unwrap_or(REST);
        // What was leased before it is not used.
        *self.state() = State {
            rests_until: Some(Instant::now() + rest),
            is_refused: true,
            ..State::default()
        };
        let (store, rate) = (self.store.clone(), self.rate);
        tokio::spawn(async move {
            if let Err(e) = store.calls_refused(retry_after, rate).await {
                warn!(
                    error = %runtime::chain(&e),
                    "other processes do not know of the pause after a 429"
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

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(size: u32, next: Instant) -> Slice {
        Slice { size, left: size, next, interval: Duration::from_millis(25) }
    }

    #[test]
    fn slots_of_a_slice_are_an_interval_apart_and_the_next_is_leased_at_its_half() {
        let begin = Instant::now();
        let mut taken = slice(4, begin);
        for (slot, runs_low) in [(0, false), (1, true), (2, true), (3, true)] {
            assert!(taken.usable(begin), "slot {slot}");
            assert_eq!(taken.take(), begin + Duration::from_millis(25) * slot);
            assert_eq!(taken.runs_low(), runs_low, "after slot {slot}");
        }
        assert!(!taken.usable(begin), "it has no slot left");
        let mut single = slice(1, begin);
        single.take();
        assert!(single.runs_low(), "a slice of one slot");
    }

    #[test]
    fn a_slice_whose_time_went_by_is_over() {
        let begin = Instant::now();
        for (late_ms, usable) in [(0, true), (100, true), (101, false)] {
            let now = begin + Duration::from_millis(late_ms);
            assert_eq!(slice(4, begin).usable(now), usable, "{late_ms} ms late");
        }
    }
}
