//! Tries and handled messages (`attempt`, `inbox`): what `bus` asks before it lets work begin.

use runtime::{Ledger, LedgerError, Standing, fault_injection};
use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    within::{SHORT, within},
};

impl Ledger for Store {
    async fn begin(
        &self,
        consumer: &'static str,
        keys: &[String],
    ) -> Result<Vec<Standing>, LedgerError> {
        Ok(within(SHORT, self.begin_tries(consumer, keys)).await?)
    }

    async fn failed(
        &self,
        consumer: &'static str,
        key: &str,
        error: &str,
    ) -> Result<(), LedgerError> {
        let work = async {
            let noted = sqlx::query!(
                "update attempt set failed = failed + 1, alone = 0, last_error = $3, last_at = now() where consumer = $1 and message_key = $2",
                consumer,
                key,
                error
            );
            Ok(noted.execute(&self.pool).await?)
        };
        within(SHORT, work).await?;
        Ok(())
    }

    async fn alone(&self, consumer: &'static str, key: &str) -> Result<i32, LedgerError> {
        Ok(within(SHORT, self.begin_alone(consumer, key)).await?)
    }

    async fn released(&self, consumer: &'static str, key: &str) -> Result<(), LedgerError> {
        let work = async {
            let noted = sqlx::query!(
                "update attempt set started = greatest(started - 1, failed), alone = greatest(alone - 1, 0), last_at = now() where consumer = $1 and message_key = $2",
                consumer,
                key
            );
            Ok(noted.execute(&self.pool).await?)
        };
        within(SHORT, work).await?;
        Ok(())
    }
}

impl Store {
    async fn begin_alone(&self, consumer: &str, key: &str) -> Result<i32, StoreError> {
        let before = sqlx::query_scalar!(
            r#"update attempt set alone = alone + 1, last_at = now() where consumer = $1 and message_key = $2 returning alone - 1 as "n!""#,
            consumer,
            key
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(before.unwrap_or(0))
    }

    async fn begin_tries(
        &self,
        consumer: &str,
        keys: &[String],
    ) -> Result<Vec<Standing>, StoreError> {
        // Sorted, so that two processes with the same messages wait for each other instead of
        // locking each other out.
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        // What is handled needs no try: its row would stay for ever. A try that ended without a
        // word did not die with its process when that still lives: the database was away when it
        // was to be told.
        let own = self.pool.connect_options();
        let rows = sqlx::query!(
            r#"with begun as (
                insert into attempt (consumer, message_key, started, holder) select $1, k, 1, $4 from unnest($2::text[]) as k
                where $3 or not exists (select 1 from inbox i where i.consumer = $1 and i.message_key = k)
                on conflict (consumer, message_key) do update set last_at = now(), holder = excluded.holder,
                    started = attempt.started + case when outlived(attempt) then 0 else 1 end,
                    alone = greatest(attempt.alone - case when outlived(attempt) then 1 else 0 end, 0)
                returning message_key, started, failed, first_at)
            select k as "key!", coalesce(b.started, 1) as "started!", coalesce(b.failed, 0) as "failed!", coalesce(b.first_at, now()) as "first_at!",
                b.message_key is null as "handled!"
            from unnest($2::text[]) as k left join begun b on b.message_key = k"#,
            consumer,
            &sorted,
            fault_injection::without("inbox"),
            own.get_application_name()
        )
        .fetch_all(&self.pool)
        .await?;
        let mut standings = Vec::with_capacity(keys.len());
        for key in keys {
            let row = rows
                .iter()
                .find(|r| r.key == *key)
                .ok_or_else(|| StoreError::Other(sqlx::Error::RowNotFound))?;
            let crashed = row.started - 1 - row.failed;
            standings.push(Standing {
                handled: row.handled,
                failed: row.failed,
                crashed,
                first_at: row.first_at,
            });
        }
        Ok(standings)
    }
}

/// Marks messages as handled, in the transaction of their effect. Returns the keys that were not
/// handled before.
pub(crate) async fn claim(
    tx: &mut PgConnection,
    consumers: &[String],
    keys: &[String],
) -> Result<Vec<String>, StoreError> {
    let fresh = sqlx::query_scalar!(
        "insert into inbox (consumer, message_key) select c, k from unnest($1::text[], $2::text[]) as t(c, k) order by c, k
         on conflict do nothing returning message_key",
        consumers,
        keys
    )
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query!(
        "delete from attempt a using unnest($1::text[], $2::text[]) as t(c, k) where a.consumer = t.c and a.message_key = t.k",
        consumers,
        keys
    )
    .execute(&mut *tx)
    .await?;
    Ok(if fault_injection::without("inbox") { keys.to_vec() } else { fresh })
}

/// [`claim`] for one message: true when it was not handled before.
pub(crate) async fn claim_one(
    tx: &mut PgConnection,
    consumer: &str,
    key: &str,
) -> Result<bool, StoreError> {
    Ok(!claim(tx, &[consumer.to_owned()], &[key.to_owned()]).await?.is_empty())
}
