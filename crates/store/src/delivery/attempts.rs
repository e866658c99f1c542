//! Attempts and handled messages (`attempt`, `inbox`): what a consumer asks before it begins work,
//! and what marks a message as handled in the transaction of its effect.

use std::collections::{HashMap, HashSet};

use delivery::{Attempts, MessageRef};
use proto::MessageKey;
use runtime::fault_injection;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{Store, StoreError};

impl Store {
    pub(crate) async fn attempt_failed(
        &self,
        message: &MessageRef,
        error: &str,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "
            update attempt
            set failed = failed + 1, alone = 0, last_error = $3, last_at = now()
            where consumer = $1 and message_key = $2
            ",
            message.consumer,
            message.key.as_str(),
            error
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(crate) async fn attempt_released(
        &self,
        message: &MessageRef,
        why: &str,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "
            update attempt
            set started = greatest(started - 1, failed),
                alone = greatest(alone - 1, 0),
                last_error = $3,
                last_at = now()
            where consumer = $1 and message_key = $2
            ",
            message.consumer,
            message.key.as_str(),
            why
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(crate) async fn begin_alone(&self, message: &MessageRef) -> Result<i32, StoreError> {
        let before = sqlx::query_scalar!(
            r#"
            update attempt
            set alone = alone + 1, last_at = now()
            where consumer = $1 and message_key = $2
            returning alone - 1 as "before!"
            "#,
            message.consumer,
            message.key.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(before.unwrap_or(0))
    }

    /// A message that is handled gets no attempt, for its row would never be removed. An attempt
    /// without an end counts as a crash only if the process that began it is gone: if it is alive,
    /// the database was unavailable when it wanted to record the end.
    ///
    /// The commit does not wait for the disk: a process that dies takes nothing of it along, and a
    /// crash of Postgres itself forgets the attempts of its last moment, which killed no process.
    pub(crate) async fn begin_attempts(
        &self,
        consumer: &str,
        keys: &[MessageKey],
    ) -> Result<Vec<Attempts>, StoreError> {
        // Sorted, so that two processes with the same messages never lock each other out.
        let mut sorted: Vec<String> = keys.iter().map(ToString::to_string).collect();
        sorted.sort_unstable();
        sorted.dedup();
        // With the safeguard off, the inbox of nobody is asked.
        let inbox_of = if fault_injection::without("inbox") { "" } else { consumer };
        let own = self.pool.connect_options();
        let rows = sqlx::query!(
            r#"
            with without_waiting as (
                select set_config('synchronous_commit', 'off', true)
            ),
            begun as (
                insert into attempt (consumer, message_key, started, holder)
                select $1, k, 1, $4
                from without_waiting, unnest($2::text[]) as k
                where not exists (
                    select 1
                    from inbox i
                    where i.consumer = $3 and i.message_key = k
                )
                on conflict (consumer, message_key) do update set
                    last_at = now(),
                    holder = excluded.holder,
                    started = attempt.started
                        + case when outlived(attempt) then 0 else 1 end,
                    alone = greatest(
                        attempt.alone - case when outlived(attempt) then 1 else 0 end,
                        0
                    )
                returning message_key, started, failed, first_at
            )
            select
                k as "key!",
                coalesce(b.started, 1) as "started!",
                coalesce(b.failed, 0) as "failed!",
                coalesce(b.first_at, now()) as "first_at!",
                b.message_key is null as "handled!"
            from unnest($2::text[]) as k
            left join begun b on b.message_key = k
            "#,
            consumer,
            &sorted,
            inbox_of,
            own.get_application_name()
        )
        .fetch_all(&self.pool)
        .await?;
        let rows: HashMap<&str, _> = rows.iter().map(|row| (row.key.as_str(), row)).collect();
        let of = |key: &MessageKey| -> Result<Attempts, StoreError> {
            let row = rows.get(key.as_str());
            let row = row.ok_or_else(|| StoreError::Other(sqlx::Error::RowNotFound))?;
            Ok(Attempts {
                handled: row.handled,
                failed: row.failed,
                crashed: row.started - 1 - row.failed,
                first_at: row.first_at,
            })
        };
        keys.iter().map(of).collect()
    }

    /// Messages that have been attempted for more than an hour and are not handled: a person should
    /// know what they wait for.
    pub(crate) async fn long_waits(&self) -> Result<Vec<LongWait>, StoreError> {
        let waits = sqlx::query_as!(
            LongWait,
            r#"
            select
                consumer as "consumer!",
                count(*) as "messages!",
                min(first_at) as "since!",
                (array_agg(last_error order by last_at desc))[1] as error
            from attempt
            where first_at < now() - interval '1 hour'
            group by consumer
            order by consumer
            "#
        );
        Ok(waits.fetch_all(&self.pool).await?)
    }

    /// How a message ended. `None`: not yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn message_end(&self, key: &str) -> Result<Option<MessageEnd>, StoreError> {
        let row = sqlx::query!(
            r#"
            select (
                select error
                from dead_letter
                where message_key = $1
                limit 1
            ) as error
            from inbox
            where message_key = $1
            limit 1
            "#,
            key
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| row.error.map_or(MessageEnd::Done, MessageEnd::DeadLetter)))
    }
}

/// Messages of a consumer that have waited for more than an hour.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct LongWait {
    /// The consumer.
    pub consumer: String,
    /// How many of its messages wait.
    pub messages: i64,
    /// When the work on the oldest of them was first attempted.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub since: OffsetDateTime,
    /// What the last attempt said.
    pub error: Option<String>,
}

/// How the work on a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageEnd {
    Done,
    /// It is a dead letter with this error.
    DeadLetter(String),
}

/// Marks messages as handled, in the transaction of their effect. Returns those that were not
/// handled before.
pub(crate) async fn claim<'a>(
    tx: &mut PgConnection,
    messages: &[&'a MessageRef],
) -> Result<HashSet<&'a MessageRef>, StoreError> {
    let consumers: Vec<String> = messages.iter().map(|m| m.consumer.to_owned()).collect();
    let keys: Vec<String> = messages.iter().map(|m| m.key.to_string()).collect();
    let rows = sqlx::query!(
        "
        with handled as (
            select c, k
            from unnest($1::text[], $2::text[]) as t (c, k)
        ),
        ended as (
            delete from attempt a
            using handled h
            where a.consumer = h.c and a.message_key = h.k
        )
        insert into inbox (consumer, message_key)
        select c, k
        from handled
        order by c, k
        on conflict do nothing
        returning consumer, message_key
        ",
        &consumers,
        &keys
    )
    .fetch_all(tx)
    .await?;
    let written: HashSet<(&str, &str)> =
        rows.iter().map(|r| (r.consumer.as_str(), r.message_key.as_str())).collect();
    let is_fresh = |message: &&MessageRef| {
        fault_injection::without("inbox")
            || written.contains(&(message.consumer, message.key.as_str()))
    };
    Ok(messages.iter().copied().filter(is_fresh).collect())
}

/// [`claim`] for one message: true when it was not handled before.
pub(crate) async fn claim_one(
    tx: &mut PgConnection,
    message: &MessageRef,
) -> Result<bool, StoreError> {
    Ok(!claim(tx, &[message]).await?.is_empty())
}
