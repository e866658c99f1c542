//! Gives the works that were there before us their rows in `title`, batch by batch; resumable.

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
};

/// Works that one transaction looks at. It reads them only: nobody waits for it.
const BATCH: i32 = 5_000;

/// How far the adoption is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdoptionProgress {
    /// Works that have been looked at by this process.
    pub done: u64,
    /// Works in the catalogue, as the database estimates them.
    pub of: u64,
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
        let of = self.estimated_works().await?;
        let mut done = 0;
        loop {
            let batch = sqlx::query_scalar!(r#"select adopt_works($1) as "n!""#, BATCH);
            let seen = within(SHORT, async { Ok(batch.fetch_one(&self.pool).await?) }).await?;
            if seen == 0 {
                return Ok(());
            }
            done += u64::from(seen.unsigned_abs());
            progress(AdoptionProgress { done, of: of.max(done) });
        }
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

    async fn estimated_works(&self) -> Result<u64, StoreError> {
        let rows = sqlx::query_scalar!(
            r#"
            select greatest(reltuples, 0)::bigint as "rows!"
            from pg_class
            where oid = 'works'::regclass
            "#
        );
        let rows = within(SHORT, async { Ok(rows.fetch_one(&self.pool).await?) }).await?;
        Ok(rows.unsigned_abs())
    }
}
