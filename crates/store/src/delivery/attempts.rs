//! Tries and handled messages (`attempt`, `inbox`): what `bus` asks before it lets work begin.

use delivery::{Answer, Attempts, DeadMessage, Effect, Ledger, MessageRef};
use proto::MessageKey;

use runtime::trial;
use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    within::{SHORT, within},
};

impl Ledger for Store {
    fn begin<'a>(
        &'a self,
        consumer: &'static str,
        keys: &'a [MessageKey],
    ) -> Answer<'a, Vec<Attempts>> {
        Box::pin(async move { Ok(within(SHORT, self.begin_attempts(consumer, keys)).await?) })
    }

    fn failed<'a>(&'a self, message: &'a MessageRef, error: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { Ok(within(SHORT, self.attempt_failed(message, error)).await?) })
    }

    fn released<'a>(&'a self, message: &'a MessageRef) -> Answer<'a, ()> {
        Box::pin(async move { Ok(within(SHORT, self.attempt_released(message)).await?) })
    }

    fn alone<'a>(&'a self, message: &'a MessageRef) -> Answer<'a, i32> {
        Box::pin(async move { Ok(within(SHORT, self.begin_alone(message)).await?) })
    }

    fn dead_letter<'a>(&'a self, dead: &'a DeadMessage, effect: &'a Effect) -> Answer<'a, ()> {
        Box::pin(async move { Ok(self.write_dead_letter(dead, effect).await?) })
    }
}

impl Store {
    async fn attempt_failed(&self, message: &MessageRef, error: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "update attempt set failed = failed + 1, alone = 0, last_error = $3, last_at = now() where consumer = $1 and message_key = $2",
            message.consumer,
            message.key.as_str(),
            error
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn attempt_released(&self, message: &MessageRef) -> Result<(), StoreError> {
        sqlx::query!(
            "update attempt set started = greatest(started - 1, failed), alone = greatest(alone - 1, 0), last_at = now() where consumer = $1 and message_key = $2",
            message.consumer,
            message.key.as_str()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn begin_alone(&self, message: &MessageRef) -> Result<i32, StoreError> {
        let before = sqlx::query_scalar!(
            r#"update attempt set alone = alone + 1, last_at = now() where consumer = $1 and message_key = $2 returning alone - 1 as "n!""#,
            message.consumer,
            message.key.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(before.unwrap_or(0))
    }

    async fn begin_attempts(
        &self,
        consumer: &str,
        keys: &[MessageKey],
    ) -> Result<Vec<Attempts>, StoreError> {
        // Sorted, so that two processes with the same messages wait for each other instead of
        // locking each other out.
        let mut sorted: Vec<String> = keys.iter().map(ToString::to_string).collect();
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
            trial::without("inbox"),
            own.get_application_name()
        )
        .fetch_all(&self.pool)
        .await?;
        let mut attempts = Vec::with_capacity(keys.len());
        for key in keys {
            let row = rows
                .iter()
                .find(|r| r.key == key.as_str())
                .ok_or_else(|| StoreError::Other(sqlx::Error::RowNotFound))?;
            let crashed = row.started - 1 - row.failed;
            attempts.push(Attempts {
                handled: row.handled,
                failed: row.failed,
                crashed,
                first_at: row.first_at,
            });
        }
        Ok(attempts)
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
    Ok(if trial::without("inbox") { keys.to_vec() } else { fresh })
}

/// [`claim`] for one message: true when it was not handled before.
pub(crate) async fn claim_one(
    tx: &mut PgConnection,
    message: &MessageRef,
) -> Result<bool, StoreError> {
    let consumers = [message.consumer.to_owned()];
    Ok(!claim(tx, &consumers, &[message.key.to_string()]).await?.is_empty())
}
