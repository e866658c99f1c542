//! Counters over the requests below `/3` and for the daily export.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::call_rate::CallRate;

/// What the simulator was asked since it started or was reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Requests below `/3` and for the daily export.
    pub calls: u64,
    /// The same by path template, such as `movie/{id}`.
    pub by_path: BTreeMap<String, u64>,
    /// Answers by HTTP status; a reset, truncated or stalled one counts under 0.
    pub by_status: BTreeMap<u16, u64>,
    /// Most requests in flight at one time.
    pub peak_in_flight: u64,
    /// Requests for the details of a movie, whatever the answer.
    pub detail_calls: u64,
    /// Ids whose details were asked for more than once, with the number of requests.
    pub duplicates: BTreeMap<u64, u64>,
    /// Most requests in any one second, wherever it began.
    pub peak_per_second: u64,
    /// Requests in each of the last 60 seconds, oldest first; the last one is still running.
    pub per_second: Vec<u32>,
}

/// Collects [`Stats`]; remembers each id it has seen in one bit.
#[derive(Debug)]
pub(crate) struct Recorder {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    stats: Stats,
    in_flight: u64,
    seen: Vec<u64>,
    rate: CallRate,
}

impl Recorder {
    /// Counts ids up to `max_id`.
    pub(crate) fn new(max_id: u64) -> Self {
        let words = usize::try_from(max_id / 64 + 1).unwrap_or(0);
        let inner = Inner {
            stats: Stats::default(),
            in_flight: 0,
            seen: vec![0; words],
            rate: CallRate::new(),
        };
        Self { inner: Mutex::new(inner) }
    }

    /// A request has arrived.
    pub(crate) fn arrived(&self, template: &'static str, movie_id: Option<u64>) -> InFlight<'_> {
        let mut inner = self.lock();
        inner.in_flight += 1;
        inner.stats.peak_in_flight = inner.stats.peak_in_flight.max(inner.in_flight);
        inner.stats.calls += 1;
        inner.rate.count();
        match inner.stats.by_path.get_mut(template) {
            Some(count) => *count += 1,
            None => {
                inner.stats.by_path.insert(template.to_owned(), 1);
            }
        }
        if let Some(id) = movie_id {
            inner.asked(id);
        }
        InFlight { recorder: self }
    }

    /// A request was answered with this status.
    pub(crate) fn answered(&self, status: u16) {
        *self.lock().stats.by_status.entry(status).or_default() += 1;
    }

    /// The counters so far.
    pub(crate) fn snapshot(&self) -> Stats {
        let mut inner = self.lock();
        let (peak_per_second, per_second) = (inner.rate.peak(), inner.rate.last_minute());
        Stats { peak_per_second, per_second, ..inner.stats.clone() }
    }

    /// Starts again from zero.
    pub(crate) fn reset(&self) {
        let mut inner = self.lock();
        inner.stats = Stats { peak_in_flight: inner.in_flight, ..Stats::default() };
        inner.seen.fill(0);
        inner.rate = CallRate::new();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn asked(&mut self, id: u64) {
        self.stats.detail_calls += 1;
        let Some(word) = usize::try_from(id / 64).ok().and_then(|word| self.seen.get_mut(word))
        else {
            return;
        };
        let bit = 1 << (id % 64);
        if *word & bit == 0 {
            *word |= bit;
        } else {
            *self.stats.duplicates.entry(id).or_insert(1) += 1;
        }
    }
}

/// A request that has no answer yet.
#[derive(Debug)]
pub(crate) struct InFlight<'a> {
    recorder: &'a Recorder,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.recorder.lock().in_flight -= 1;
    }
}
