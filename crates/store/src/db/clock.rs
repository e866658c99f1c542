//! The time of the database, for all processes alike: times that are compared across machines must
//! come from one clock.
//!
//! Between two readings it runs on this machine's monotonic clock, which nobody sets.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use time::OffsetDateTime;

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
};

/// How often the clock is read again.
const READ_EVERY: Duration = Duration::from_secs(20);
/// A reading that takes longer says little about the time.
const SLOW: Duration = Duration::from_millis(200);
/// Readings at the start, at most.
const FIRST_READINGS: u32 = 5;

/// A reading of the database's clock.
#[derive(Debug, Clone, Copy)]
struct Reading {
    /// The time in the middle of the query.
    time: OffsetDateTime,
    /// When that was on this machine's monotonic clock.
    at: Instant,
    /// How long the query took: the time is off by half of it at most.
    took: Duration,
}

/// The database's clock. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DatabaseClock(Arc<RwLock<Reading>>);

impl DatabaseClock {
    /// Reads the time, and reads it again every 20 s until the process ends.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn start(store: &Store) -> Result<Self, StoreError> {
        let clock = Self(Arc::new(RwLock::new(first_reading(store).await?)));
        let (shared, store) = (clock.clone(), store.clone());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(READ_EVERY).await;
                // Without an answer the last reading goes on.
                if let Ok(new) = read(&store).await {
                    let mut last = shared.0.write().unwrap_or_else(PoisonError::into_inner);
                    if new.replaces(*last) {
                        *last = new;
                    }
                }
            }
        });
        Ok(clock)
    }

    /// How far this machine's wall clock is from the database's; positive = ahead.
    #[must_use]
    pub fn offset(&self) -> time::Duration {
        OffsetDateTime::from(std::time::SystemTime::now()) - self.now()
    }
}

impl Store {
    /// The time of the database, for what a person asked for just now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn now(&self) -> Result<OffsetDateTime, StoreError> {
        Ok(read(self).await?.time)
    }
}

impl Reading {
    fn time_at(&self, instant: Instant) -> OffsetDateTime {
        self.time + instant.saturating_duration_since(self.at)
    }

    /// A quick reading replaces the last one. A slow one does so only where the two differ by more
    /// than all the time that it took: then the last one is wrong, for example because the machine
    /// slept or the database's clock was set.
    fn replaces(&self, last: Self) -> bool {
        self.took <= SLOW || (self.time - last.time_at(self.at)).unsigned_abs() > self.took
    }
}

/// The quickest of a few readings, or the first that is quick enough.
async fn first_reading(store: &Store) -> Result<Reading, StoreError> {
    let mut best = read(store).await?;
    for _ in 1..FIRST_READINGS {
        if best.took <= SLOW {
            break;
        }
        let next = read(store).await?;
        best = if next.took < best.took { next } else { best };
    }
    Ok(best)
}

async fn read(store: &Store) -> Result<Reading, StoreError> {
    let asked = Instant::now();
    let time = sqlx::query_scalar!(r#"select clock_timestamp() as "at!""#);
    let time = within(SHORT, async { Ok(time.fetch_one(&store.pool).await?) }).await?;
    let took = asked.elapsed();
    Ok(Reading { time, at: asked + took / 2, took })
}

impl DatabaseClock {
    /// Now, by the database's clock.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.0.read().unwrap_or_else(PoisonError::into_inner).time_at(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reading_replaces_one_that_it_proves_wrong() {
        let (began, later) = (OffsetDateTime::UNIX_EPOCH, Duration::from_secs(20));
        let last = Reading { time: began, at: Instant::now(), took: Duration::ZERO };
        let replaces = |off_millis: i64, took_millis| {
            let time = began + later + time::Duration::milliseconds(off_millis);
            let took = Duration::from_millis(took_millis);
            Reading { time, at: last.at + later, took }.replaces(last)
        };
        assert!(replaces(90, 200), "quick");
        assert!(!replaces(900, 1_000) && !replaces(-900, 1_000), "the last one may be right");
        assert!(replaces(1_100, 1_000) && replaces(-1_100, 1_000), "the last one is further off");
    }
}
