//! Gives the works that were there before us their rows in `title`, batch by batch; resumable.

use std::time::Duration;

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
};

/// Works that one transaction looks at. It reads them only: nobody waits for it.
const BATCH: i32 = 5_000;
/// How long the works may take to be counted.
const COUNT: Duration = Duration::from_secs(60);

/// How far the adoption is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdoptionProgress {
    /// Works that have been looked at, by this process or an earlier one.
    pub done: u64,
    /// Works in the catalogue.
    pub of: u64,
}

/// What a migration says while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MigrationNews {
    /// It waits for locks of others, which these words name, and tries again.
    Waits(String),
    /// Works have been looked at.
    Adopted(AdoptionProgress),
}

impl Store {
    /// Looks at every work that was not looked at yet, and gives it its row in `title`.
    /// `progress` is called after each batch.
    ///
    /// # Errors
    /// When the database does not answer; what is done stays done, and the next call goes on.
    pub async fn adopt_works(
        &self,
        mut progress: impl FnMut(AdoptionProgress),
    ) -> Result<(), StoreError> {
        let mut at = self.adoption_progress().await?;
        loop {
            let seen = self.while_seen_at_work(self.adopt_batch()).await?;
            at.done += seen;
            at.of = at.of.max(at.done);
            progress(at);
            // Works that came later have their rows by the triggers.
            if seen < u64::from(BATCH.unsigned_abs()) {
                return Ok(());
            }
        }
    }

    /// Returns how many works it looked at.
    async fn adopt_batch(&self) -> Result<u64, StoreError> {
        let mut tx = self.pool.begin().await?;
        // The role may have limits that are meant for an app's statements.
        sqlx::raw_sql("set local statement_timeout = 0; set local lock_timeout = 0")
            .execute(&mut *tx)
            .await?;
        let batch = sqlx::query_scalar!(r#"select adopt_works($1) as "n!""#, BATCH);
        let seen = batch.fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(u64::from(seen.unsigned_abs()))
    }

    /// Has every work looked at again by the next [`Store::adopt_works`]: rows that came in past
    /// the triggers, as a restore with triggers disabled brings them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn adopt_again(&self) -> Result<(), StoreError> {
        let again = sqlx::query!("update adoption set next_work_id = default");
        within(SHORT, async { Ok(again.execute(&self.pool).await.map(drop)?) }).await
    }

    /// Whether every work that was there before us has its row.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_adopted(&self) -> Result<bool, StoreError> {
        let finished = sqlx::query_scalar!(
            r#"
            select finished_at is not null as "finished!"
            from adoption
            "#
        );
        let finished = finished.fetch_optional(&self.pool);
        within(SHORT, async { Ok(finished.await?.unwrap_or(true)) }).await
    }

    async fn adoption_progress(&self) -> Result<AdoptionProgress, StoreError> {
        let counts = sqlx::query!(
            r#"
            select
                count(*) as "works!",
                count(*) filter (where w.work_id < a.next_work_id) as "done!"
            from works w
            cross join adoption a
            "#
        );
        let counts = within(COUNT, async { Ok(counts.fetch_one(&self.pool).await?) }).await?;
        let (done, of) = (counts.done.unsigned_abs(), counts.works.unsigned_abs());
        Ok(AdoptionProgress { done, of })
    }
}
