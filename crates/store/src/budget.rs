//! The TMDB budget that all processes share: one row, a generic cell rate algorithm, taken in slices.

use std::time::Duration;

use crate::{Store, StoreError};

/// Calls that were granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// From when on they may be made.
    pub wait: Duration,
    /// Time from one call to the next.
    pub interval: Duration,
}

impl Store {
    /// Takes `calls` calls at `rate` per second (at least 1) from the shared budget.
    ///
    /// # Errors
    /// When the database does not answer; nothing is taken then.
    pub async fn lease_calls(&self, calls: u32, rate: u32) -> Result<Lease, StoreError> {
        let interval = Duration::from_secs(1) / rate.max(1);
        let wait = sqlx::query_scalar!(
            r#"update tmdb_budget b set tat = greatest(b.tat, clock_timestamp(), coalesce(b.paused_until, 'epoch')) + make_interval(secs => $1::float8)
            returning greatest(0, extract(epoch from b.tat - clock_timestamp()) - $1::float8)::float8 as "wait!""#,
            (interval * calls).as_secs_f64()
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Lease { wait: Duration::from_secs_f64(wait.max(0.0)), interval })
    }

    /// Stops every process's calls for a while.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pause_calls(&self, pause: Duration) -> Result<(), StoreError> {
        sqlx::query!(
            "update tmdb_budget set paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => $1))",
            pause.as_secs_f64()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
