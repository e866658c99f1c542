//! Applies what people and the app edit beside us: the freshness policy, and the app's own works.

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
};

/// Movies of one transaction that applies the policy: a refresh of one of them waits for as long
/// as it takes.
const POLICY_BATCH: i32 = 2_000;
/// Edits of one transaction.
const EDITS_BATCH: i32 = 1_000;

impl Store {
    /// Applies an edit of the policy, if there is one. Returns the number of batches; where another
    /// process is at it, 0.
    ///
    /// # Errors
    /// When the database does not answer; the next call goes on where this one stopped.
    pub async fn apply_policy(&self) -> Result<u32, StoreError> {
        let mut batches = 0;
        loop {
            let batch = sqlx::query_scalar!(r#"select apply_policy($1) as "more!""#, POLICY_BATCH);
            if !within(SHORT, async { Ok(batch.fetch_one(&self.pool).await?) }).await? {
                return Ok(batches);
            }
            batches += 1;
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
