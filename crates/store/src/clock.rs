//! The time of the database, for all processes alike: what is compared across machines must come from one clock.
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
                // The answer to a slow question may be off by half of the time that it took; the old look is better.
                if let Ok((seen, took)) = look(&store).await
                    && took <= SLOW
                {
                    *shared.0.write().unwrap_or_else(PoisonError::into_inner) = seen;
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
