//! Ages movies, for the demo and for tests.

use crate::{Store, StoreError};

impl Store {
    /// Makes every `nth` movie due, as if its time had passed. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn age_movies(&self, nth: i64) -> Result<u64, StoreError> {
        let aged = sqlx::query!(
            "
            with aged as (
                update works
                set last_refreshed_at = last_refreshed_at - interval '200 days'
                where work_id % $1 = 0 and last_refreshed_at is not null
                returning work_id
            )
            update title t
            set planned_at = planned_at - interval '200 days',
                stale_at = stale_at - interval '200 days',
                fetched_at = fetched_at - interval '200 days'
            from aged a
            where t.work_id = a.work_id and t.stale_at > 'epoch'
            ",
            nth
        );
        Ok(aged.execute(&self.pool).await?.rows_affected())
    }
}
