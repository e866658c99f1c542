//! Applies edits of the freshness policy to the due times.

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
};

/// Movies of one transaction: a refresh of one of them waits for as long as it takes.
const BATCH: i32 = 2_000;

impl Store {
    /// Applies an edit of the policy, if there is one. Returns the number of batches; where another
    /// process is at it, 0.
    ///
    /// # Errors
    /// When the database does not answer; the next call goes on where this one stopped.
    pub async fn apply_policy(&self) -> Result<u32, StoreError> {
        let mut batches = 0;
        loop {
            let batch = sqlx::query_scalar!(r#"select apply_policy($1) as "more!""#, BATCH);
            if !within(SHORT, async { Ok(batch.fetch_one(&self.pool).await?) }).await? {
                return Ok(batches);
            }
            batches += 1;
        }
    }
}
