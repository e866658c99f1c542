//! Removes what is old, in small steps: calls, queue rows, runs, dead letters, tries. How long they
//! stay is the job's payload.

use delivery::MessageRef;
use proto::Retention;
use time::{Duration, OffsetDateTime};

use crate::{
    Store, StoreError, ledger,
    runs::{self, RunRef},
};

/// Rows per statement: no lock lasts long.
const STEP: i64 = 5_000;

impl Store {
    /// Removes what is older, and ends the run with the number of rows and partitions. Repeating is
    /// harmless.
    ///
    /// # Errors
    /// When the database does not answer, or a partition is being read for long; what was removed
    /// stays removed.
    pub async fn maintain(
        &self,
        message: &MessageRef,
        run: &RunRef,
        keep: &Retention,
        now: OffsetDateTime,
    ) -> Result<i64, StoreError> {
        let before = |days: i64| now - Duration::days(days);
        let mut gone = self.drop_old_calls(before(keep.api_log_days)).await?;
        macro_rules! step_by_step {
            ($sql:literal, $days:expr) => {
                loop {
                    let done = sqlx::query!($sql, before($days), STEP).execute(&self.pool).await?;
                    let removed = i64::try_from(done.rows_affected()).unwrap_or(STEP);
                    gone += removed;
                    if removed < STEP {
                        break;
                    }
                }
            };
        }
        step_by_step!(
            "delete from refresh_queue where id in (
                select id from refresh_queue where status in ('completed', 'failed') and coalesce(processed_at, queued_at) < $1 limit $2)",
            keep.queue_days
        );
        step_by_step!(
            "delete from job_run where run_id in (
                select run_id from job_run where status in ('succeeded', 'skipped') and ended_at < $1 limit $2)",
            keep.run_days
        );
        step_by_step!(
            "delete from job_run where run_id in (select run_id from job_run where ended_at < $1 limit $2)",
            keep.failed_run_days
        );
        gone += self.drop_runs_beyond(keep.runs_per_job).await?;
        step_by_step!(
            "delete from dead_letter where id in (select id from dead_letter where died_at < $1 limit $2)",
            keep.dead_letter_days
        );
        step_by_step!(
            "delete from attempt where (consumer, message_key) in (
                select consumer, message_key from attempt where last_at < $1 limit $2)",
            keep.attempt_days
        );
        let mut tx = self.pool.begin().await?;
        if ledger::claim_one(&mut tx, message).await? {
            sqlx::query!(
                "update job_run set checked = $2, done = $2 where run_id = $1",
                run.run_id.as_str(),
                gone
            )
            .execute(&mut *tx)
            .await?;
            runs::close(&mut tx, &run.run_id, now).await?;
        }
        tx.commit().await?;
        Ok(gone)
    }

    async fn drop_runs_beyond(&self, runs_per_job: i64) -> Result<i64, StoreError> {
        let done = sqlx::query!(
            "delete from job_run where run_id in (
                select run_id from (
                    select run_id, row_number() over (partition by job order by scheduled_for desc) as place
                    from job_run where status in ('succeeded', 'skipped')) ranked where place > $1)",
            runs_per_job
        )
        .execute(&self.pool)
        .await?;
        Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
    }

    /// Whole days go as partitions; what no partition was there for goes row by row.
    async fn drop_old_calls(&self, cutoff: OffsetDateTime) -> Result<i64, StoreError> {
        let dropped =
            sqlx::query_scalar!(r#"select drop_tmdb_api_logs_before($1) as "n!""#, cutoff.date())
                .fetch_one(&self.pool)
                .await?;
        let mut gone = i64::from(dropped);
        loop {
            let done = sqlx::query!(
                "delete from tmdb_api_logs_default where id in (select id from tmdb_api_logs_default where created_at < $1 limit $2)",
                cutoff,
                STEP
            )
            .execute(&self.pool)
            .await?;
            let removed = i64::try_from(done.rows_affected()).unwrap_or(STEP);
            gone += removed;
            if removed < STEP {
                return Ok(gone);
            }
        }
    }
}
