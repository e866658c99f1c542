//! The time of the database, for all processes alike: what is compared across machines must come
//! from one clock.
//!
//! Between two looks it runs on this machine's monotonic clock, which nobody sets.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use runtime::Clock;
use time::OffsetDateTime;

use crate::{
    Store, StoreError,
    within::{SHORT, within},
};

/// How often the database is asked again.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// A question that takes longer tells little of the time.
const SLOW: Duration = Duration::from_millis(200);
/// Looks at the start, at most.
const FIRST_LOOKS: u32 = 5;

/// The database's clock. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DatabaseClock(Arc<RwLock<(OffsetDateTime, Instant)>>);

impl DatabaseClock {
    /// Asks for the time, and keeps asking until the process ends.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn start(store: &Store) -> Result<Self, StoreError> {
        let clock = Self(Arc::new(RwLock::new(first(store).await?)));
        let (shared, store) = (clock.clone(), store.clone());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                if let Ok((seen, took)) = look(&store).await {
                    let mut known = shared.0.write().unwrap_or_else(PoisonError::into_inner);
                    if is_better(*known, seen, took) {
                        *known = seen;
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

/// A quick look is. A slow one is off by half of the time that it took at most, so it is better
/// than a clock that differs from it by more than all of that time: of a machine that slept, or
/// from before the database's clock was set.
fn is_better(
    (at, seen): (OffsetDateTime, Instant),
    (new, when): (OffsetDateTime, Instant),
    took: Duration,
) -> bool {
    let kept = at + when.saturating_duration_since(seen);
    took <= SLOW || (new - kept).unsigned_abs() > took
}

/// The quickest of a few looks, or the first that is quick enough.
async fn first(store: &Store) -> Result<(OffsetDateTime, Instant), StoreError> {
    let (mut best, mut least) = look(store).await?;
    for _ in 1..FIRST_LOOKS {
        if least <= SLOW {
            break;
        }
        let (seen, took) = look(store).await?;
        (best, least) = if took < least { (seen, took) } else { (best, least) };
    }
    Ok(best)
}

/// The time in the middle of the question, and how long it took.
async fn look(store: &Store) -> Result<((OffsetDateTime, Instant), Duration), StoreError> {
    let asked = Instant::now();
    let at = sqlx::query_scalar!(r#"select clock_timestamp() as "at!""#);
    let at = within(SHORT, async { Ok(at.fetch_one(&store.pool).await?) }).await?;
    let took = asked.elapsed();
    Ok(((at, asked + took / 2), took))
}

impl Clock for DatabaseClock {
    fn now(&self) -> OffsetDateTime {
        let (at, seen) = *self.0.read().unwrap_or_else(PoisonError::into_inner);
        at + seen.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_look_counts_when_it_proves_the_old_one_wrong() {
        let (began, later) = (OffsetDateTime::UNIX_EPOCH, Duration::from_secs(20));
        let seen = Instant::now();
        let better = |off_millis: i64, took_millis| {
            let new = began + later + time::Duration::milliseconds(off_millis);
            is_better((began, seen), (new, seen + later), Duration::from_millis(took_millis))
        };
        assert!(better(90, 200), "quick");
        assert!(!better(900, 1_000) && !better(-900, 1_000), "the old one may be right");
        assert!(better(1_100, 1_000) && better(-1_100, 1_000), "the old one is further off");
    }
}
