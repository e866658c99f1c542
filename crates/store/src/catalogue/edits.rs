//! Applies what people and the app edit beside us: the freshness policy, and the app's own works.

use std::time::{Duration, Instant};

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
};

/// How long one transaction that applies the policy may take: a refresh of one of its movies waits
/// for it. Each batch is as large as the one before says.
const POLICY_BATCH_AIM: Duration = Duration::from_millis(25);
/// Movies of the first batch, of the smallest and of the largest.
const POLICY_BATCH_FIRST: i32 = 500;
const POLICY_BATCH_MIN: i32 = 50;
const POLICY_BATCH_MAX: i32 = 5_000;
/// Edits of one transaction.
const EDITS_BATCH: i32 = 1_000;

impl Store {
    /// Applies an edit of the policy, if there is one. Returns the number of batches; where another
    /// process is at it, 0.
    ///
    /// # Errors
    /// When the database does not answer; the next call goes on where this one stopped.
    pub async fn apply_policy(&self) -> Result<u32, StoreError> {
        let (mut batches, mut size) = (0, POLICY_BATCH_FIRST);
        loop {
            let begun = Instant::now();
            let batch = sqlx::query_scalar!(r#"select apply_policy($1) as "more!""#, size);
            if !within(SHORT, async { Ok(batch.fetch_one(&self.pool).await?) }).await? {
                return Ok(batches);
            }
            size = next_batch(size, begun.elapsed());
            batches += 1;
        }
    }

    /// Moves titles on to the band of their age today. Returns whether any was moved.
    ///
    /// # Errors
    /// When the database does not answer; the next call goes on.
    pub async fn move_bands(&self) -> Result<bool, StoreError> {
        let (mut moved, mut size) = (false, POLICY_BATCH_FIRST);
        loop {
            let begun = Instant::now();
            let batch = sqlx::query_scalar!(r#"select move_bands($1) as "more!""#, size);
            if !within(SHORT, async { Ok(batch.fetch_one(&self.pool).await?) }).await? {
                return Ok(moved);
            }
            size = next_batch(size, begun.elapsed());
            moved = true;
        }
    }

    /// Works off what the app noted of its own works. Returns how many edits there were.
    ///
    /// # Errors
    /// When the database does not answer; what is not worked off stays noted.
    pub async fn apply_work_edits(&self) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let batch = sqlx::query_scalar!(r#"select apply_work_edits($1) as "n!""#, EDITS_BATCH);
            let taken = within(SHORT, async { Ok(batch.fetch_one(&self.pool).await?) }).await?;
            all += u64::from(taken.unsigned_abs());
            if taken < EDITS_BATCH {
                return Ok(all);
            }
        }
    }
}

/// The size of a batch after one of this size took so long.
#[expect(clippy::cast_possible_truncation, reason = "it is clamped to a few thousand")]
fn next_batch(size: i32, took: Duration) -> i32 {
    let fits = f64::from(size) * POLICY_BATCH_AIM.as_secs_f64() / took.as_secs_f64().max(0.001);
    let fits = fits.clamp(f64::from(POLICY_BATCH_MIN), f64::from(POLICY_BATCH_MAX));
    // One quick batch says little about the next one.
    (fits.round() as i32).min(size * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_as_long_as_a_refresh_may_wait() {
        let next = |size, millis| next_batch(size, Duration::from_millis(millis));
        assert_eq!(next(500, 25), 500, "as it should be");
        assert_eq!(next(500, 50), 250, "too long");
        assert_eq!(next(500, 10), 1_000, "quick: no more than double");
        assert_eq!(next(500, 30_000), POLICY_BATCH_MIN, "it waited for somebody");
        assert_eq!(next(4_000, 0), POLICY_BATCH_MAX);
    }
}
