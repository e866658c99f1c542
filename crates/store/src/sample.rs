//! Counts what grows with the catalogue and with history, beside the looks that show it. Above the
//! rooms: it counts in all of them.
//!
//! The rules are in `migrations/functions/take_sample.sql`: a count costs a hundredth of a core at
//! most, so the larger the catalogue, the older what a look shows may be.

use std::time::Duration;

use time::OffsetDateTime;

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
};

/// Nobody counts any more where the last sample is older than so many of its intervals and than
/// [`ABANDONED_SECS`].
const ABANDONED_INTERVALS: i32 = 3;
const ABANDONED_SECS: f64 = 60.0;

impl Store {
    /// Takes a sample, where the next one is due. Returns when to call again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_sample(&self) -> Result<Duration, StoreError> {
        let next = self.take_sample_after(1, 0.0).await?;
        Ok(Duration::from_secs_f64(next.max(0.0)))
    }

    /// Takes a sample where nobody else does any more: no service runs that would.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn replace_abandoned_sample(&self) -> Result<(), StoreError> {
        let is_abandoned = sqlx::query_scalar!(
            r#"
            select not exists (
                select 1
                from status_sample s
                where now() < s.taken_at
                    + greatest(make_interval(secs => $2), $1::int * sample_interval(s))
            ) as "abandoned!"
            "#,
            ABANDONED_INTERVALS,
            ABANDONED_SECS
        );
        if is_abandoned.fetch_one(&self.pool).await? {
            self.take_sample_after(ABANDONED_INTERVALS, ABANDONED_SECS).await?;
        }
        Ok(())
    }

    /// When the last sample was taken; `None`: there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sampled_at(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        let at = sqlx::query_scalar!("select max(taken_at) from status_sample");
        within(SHORT, async { Ok(at.fetch_one(&self.pool).await?) }).await
    }

    async fn take_sample_after(&self, intervals: i32, secs: f64) -> Result<f64, StoreError> {
        let take = sqlx::query_scalar!(
            r#"
            select take_sample($1, make_interval(secs => $2)) as "secs!"
            "#,
            intervals,
            secs
        );
        self.while_seen_at_work(async { Ok(take.fetch_one(&self.pool).await?) }).await
    }
}
