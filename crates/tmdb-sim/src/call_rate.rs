//! Counts calls by time: those of the last second, for the limit, and those of each second of the
//! last minute.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Seconds that [`CallRate::last_minute`] shows.
const SHOWN_SECS: usize = 60;

/// When the calls of the last second came.
#[derive(Debug, Default)]
pub(crate) struct LastSecond {
    calls: VecDeque<Instant>,
}

impl LastSecond {
    /// Calls in the second before `now`.
    pub(crate) fn len(&mut self, now: Instant) -> u64 {
        while self.calls.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(1))
        {
            self.calls.pop_front();
        }
        self.calls.len() as u64
    }

    /// Adds a call.
    pub(crate) fn push(&mut self, now: Instant) {
        self.calls.push_back(now);
    }
}

/// Calls per second, over the last minute and at the peak.
#[derive(Debug)]
pub(crate) struct CallRate {
    opened: Instant,
    /// The second of the last count, from `opened`.
    second: u64,
    counts: VecDeque<u32>,
    recent: LastSecond,
    peak: u64,
}

impl CallRate {
    /// Counts from zero.
    pub(crate) fn new() -> Self {
        let counts = VecDeque::from(vec![0; SHOWN_SECS]);
        Self { opened: Instant::now(), second: 0, counts, recent: LastSecond::default(), peak: 0 }
    }

    /// Counts a call.
    pub(crate) fn count(&mut self) {
        let now = Instant::now();
        self.turn(now);
        if let Some(count) = self.counts.back_mut() {
            *count += 1;
        }
        self.recent.push(now);
        self.peak = self.peak.max(self.recent.len(now));
    }

    /// Most calls in any one second, wherever it began.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }

    /// Calls in each of the last [`SHOWN_SECS`] seconds, oldest first; the last one is still
    /// running.
    pub(crate) fn last_minute(&mut self) -> Vec<u32> {
        self.turn(Instant::now());
        self.counts.iter().copied().collect()
    }

    /// Begins the seconds that have passed since the last count.
    fn turn(&mut self, now: Instant) {
        let second = now.duration_since(self.opened).as_secs();
        for _ in 0..(second - self.second).min(SHOWN_SECS as u64) {
            self.counts.pop_front();
            self.counts.push_back(0);
        }
        self.second = second;
    }
}
