//! The simulator's own time: it starts at the machine's, never goes back, and can be moved on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use time::{Duration, OffsetDateTime};

/// A clock that runs with the machine's and may be ahead of it.
#[derive(Debug)]
pub(crate) struct SimClock {
    opened: OffsetDateTime,
    since: Instant,
    /// How far it was moved on.
    ahead_ms: AtomicU64,
}

impl SimClock {
    /// A clock that shows the machine's time.
    pub(crate) fn new() -> Self {
        Self {
            opened: std::time::SystemTime::now().into(),
            since: Instant::now(),
            ahead_ms: AtomicU64::new(0),
        }
    }

    /// The time; UTC.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.opened.saturating_add(self.elapsed())
    }

    /// Whole hours since it was started: lists move with them. Counted from the start and not from
    /// midnight, so that a short test sees one hour and one day.
    pub(crate) fn hours(&self) -> u64 {
        u64::try_from(self.elapsed().whole_hours()).unwrap_or(0)
    }

    /// Whole days since it was started: popularity and votes drift with them.
    pub(crate) fn days(&self) -> u64 {
        self.hours() / 24
    }

    /// Moves it on; parts of a millisecond are dropped.
    pub(crate) fn advance(&self, by: std::time::Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let add = |ahead: u64| Some(ahead.saturating_add(by_ms));
        // It cannot fail: the closure always returns a value.
        let _ = self.ahead_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    fn elapsed(&self) -> Duration {
        let ahead = Duration::milliseconds(
            i64::try_from(self.ahead_ms.load(Ordering::Relaxed)).unwrap_or(i64::MAX),
        );
        Duration::try_from(self.since.elapsed()).unwrap_or(Duration::MAX).saturating_add(ahead)
    }
}
