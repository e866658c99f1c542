//! Removes what is old, in small steps: calls, queue rows, runs, dead letters, attempts. How long
//! they stay is the job's payload.

use delivery::MessageRef;
use proto::{Retention, RunId};

use crate::{Store, StoreError, delivery::attempts::claim_one, jobs::items};

/// Rows per statement, so that no lock lasts long.
const STEP: i64 = 5_000;

/// Rows that are removed when they are older than some days.
#[derive(Clone, Copy)]
enum OldRows {
    Calls,
    /// Our calls in the app's table.
    AppCalls,
    QueueRows,
    /// Runs that succeeded or were skipped.
    GoodRuns,
    Runs,
    DeadLetters,
    Attempts,
}

impl Store {
    /// Removes what is older, looks for works that nobody told us of, and ends the run with the
    /// number of removed rows. Repeating is harmless.
    ///
    /// # Errors
    /// When the database does not answer; what was removed stays removed.
    pub async fn maintain(
        &self,
        message: &MessageRef,
        run: &RunId,
        keep: &Retention,
    ) -> Result<i64, StoreError> {
        let removed = self.remove_all(OldRows::Calls, keep.api_log_days).await?
            + self.remove_all(OldRows::AppCalls, keep.api_log_days).await?
            + self.remove_all(OldRows::QueueRows, keep.queue_days).await?
            + self.remove_all(OldRows::GoodRuns, keep.run_days).await?
            + self.remove_all(OldRows::Runs, keep.failed_run_days).await?
            + self.remove_runs_beyond(keep.runs_per_job).await?
            + self.remove_all(OldRows::DeadLetters, keep.dead_letter_days).await?
            + self.remove_all(OldRows::Attempts, keep.attempt_days).await?;
        // Works that came in past the triggers get their rows.
        self.adopt_again().await?;
        self.adopt_works(|_| ()).await?;
        let mut tx = self.pool.begin().await?;
        if claim_one(&mut tx, message).await? {
            items::close_with(&mut tx, run, removed).await?;
        }
        tx.commit().await?;
        Ok(removed)
    }

    /// Repeats a step until it removes less than it may. Returns how many rows were removed.
    async fn remove_all(&self, rows: OldRows, days: i64) -> Result<i64, StoreError> {
        let mut all = 0;
        loop {
            let removed = match rows {
                OldRows::Calls => self.remove_calls(days).await?,
                OldRows::AppCalls => self.remove_app_calls(days).await?,
                OldRows::QueueRows => self.remove_queue_rows(days).await?,
                OldRows::GoodRuns => self.remove_good_runs(days).await?,
                OldRows::Runs => self.remove_runs(days).await?,
                OldRows::DeadLetters => self.remove_dead_letters(days).await?,
                OldRows::Attempts => self.remove_attempts(days).await?,
            };
            let removed = i64::try_from(removed).unwrap_or(STEP);
            all += removed;
            if removed < STEP {
                return Ok(all);
            }
        }
    }

    async fn remove_calls(&self, days: i64) -> Result<u64, StoreError> {
        let done = sqlx::query!(
            "
            delete from tmdb_call
            where id in (
                select id
                from tmdb_call
                where created_at < now() - make_interval(days => $1)
                limit $2
            )
            ",
            whole(days),
            STEP
        );
        Ok(done.execute(&self.pool).await?.rows_affected())
    }

    async fn remove_app_calls(&self, days: i64) -> Result<u64, StoreError> {
        let step = i32::try_from(STEP).unwrap_or(i32::MAX);
        Ok(self.forget_app_calls(whole(days), step).await?.unsigned_abs())
    }

    async fn remove_queue_rows(&self, days: i64) -> Result<u64, StoreError> {
        let done = sqlx::query!(
            "
            delete from refresh_item
            where id in (
                select id
                from refresh_item
                where status in ('completed', 'failed')
                    and coalesce(processed_at, queued_at) < now() - make_interval(days => $1)
                limit $2
            )
            ",
            whole(days),
            STEP
        );
        Ok(done.execute(&self.pool).await?.rows_affected())
    }

    async fn remove_good_runs(&self, days: i64) -> Result<u64, StoreError> {
        let done = sqlx::query!(
            "
            delete from job_run
            where run_id in (
                select run_id
                from job_run
                where status in ('succeeded', 'skipped')
                    and ended_at < now() - make_interval(days => $1)
                limit $2
            )
            ",
            whole(days),
            STEP
        );
        Ok(done.execute(&self.pool).await?.rows_affected())
    }

    async fn remove_runs(&self, days: i64) -> Result<u64, StoreError> {
        let done = sqlx::query!(
            "
            delete from job_run
            where run_id in (
                select run_id
                from job_run
                where ended_at < now() - make_interval(days => $1)
                limit $2
            )
            ",
            whole(days),
            STEP
        );
        Ok(done.execute(&self.pool).await?.rows_affected())
    }

    /// Of each job, only the newest runs that succeeded or were skipped stay.
    async fn remove_runs_beyond(&self, runs_per_job: i64) -> Result<i64, StoreError> {
        let done = sqlx::query!(
            "
            delete from job_run
            where run_id in (
                select run_id
                from (
                    select
                        run_id,
                        row_number() over (partition by job order by scheduled_for desc) as place
                    from job_run
                    where status in ('succeeded', 'skipped')
                ) ranked
                where place > $1
            )
            ",
            runs_per_job
        );
        let removed = done.execute(&self.pool).await?.rows_affected();
        Ok(i64::try_from(removed).unwrap_or(i64::MAX))
    }

    async fn remove_dead_letters(&self, days: i64) -> Result<u64, StoreError> {
        let done = sqlx::query!(
            "
            delete from dead_letter
            where id in (
                select id
                from dead_letter
                where died_at < now() - make_interval(days => $1)
                limit $2
            )
            ",
            whole(days),
            STEP
        );
        Ok(done.execute(&self.pool).await?.rows_affected())
    }

    async fn remove_attempts(&self, days: i64) -> Result<u64, StoreError> {
        let done = sqlx::query!(
            "
            delete from attempt
            where (consumer, message_key) in (
                select consumer, message_key
                from attempt
                where last_at < now() - make_interval(days => $1)
                limit $2
            )
            ",
            whole(days),
            STEP
        );
        Ok(done.execute(&self.pool).await?.rows_affected())
    }
}

/// Days as SQL takes them: [`Retention`] has at most 3650.
fn whole(days: i64) -> i32 {
    i32::try_from(days).unwrap_or(i32::MAX)
}
