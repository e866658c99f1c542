//! Dead letters: written by consumers and by the relay; listed, replayed under a new id, and
//! dropped by people.

pub(crate) mod replay;
pub(crate) mod write;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    Store, StoreError,
    jobs::control::{Author, Change},
};

/// Which dead letters: everything that is given has to match.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    pub ids: Option<Vec<i64>>,
    pub consumer: Option<String>,
    pub reason: Option<String>,
}

/// A dead letter.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct DeadRow {
    pub id: i64,
    /// The consumer that gave the message up.
    pub consumer: String,
    pub message_key: String,
    /// The subject that the message came on.
    pub subject: String,
    /// A code, as `not-found`; earlier versions had others.
    pub reason: String,
    /// The chain of errors.
    pub error: String,
    /// How often the work was attempted.
    pub tries: i32,
    /// As text; bytes that are not UTF-8 are replaced.
    pub payload: String,
    pub headers: Value,
    /// W3C trace id.
    pub trace_id: Option<String>,
    /// When the first attempt began.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub first_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub died_at: OffsetDateTime,
    /// The id of the message that replayed it.
    pub replayed_as: Option<String>,
}

/// The dead letters of one consumer and reason.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct DeadGroup {
    pub consumer: String,
    pub reason: String,
    /// How many there are; no more than 10,001 are counted.
    pub letters: i64,
    /// How many of those that were counted, the newest, were replayed.
    pub replayed: i64,
    /// When the oldest was written.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub first_at: OffsetDateTime,
    /// When the newest was written.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "proto::Rfc3339")]
    pub last_at: OffsetDateTime,
    pub latest_id: i64,
    pub latest_error: String,
}

impl DeadGroup {
    /// No more of one group are counted: a look costs the same however many there are.
    pub const LETTERS_MAX: i64 = 10_000;
}

impl Store {
    /// Dead letters by consumer and reason, the largest group first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn dead_groups(&self) -> Result<Vec<DeadGroup>, StoreError> {
        let groups = sqlx::query_as!(
            DeadGroup,
            r#"
            with recursive groups as (
                (
                    select consumer, reason
                    from dead_letter
                    order by consumer, reason
                    limit 1
                )
                union all
                select next.consumer, next.reason
                from groups g
                cross join lateral (
                    select d.consumer, d.reason
                    from dead_letter d
                    where (d.consumer, d.reason) > (g.consumer, g.reason)
                    order by d.consumer, d.reason
                    limit 1
                ) next
            )
            select
                g.consumer as "consumer!",
                g.reason as "reason!",
                n.letters as "letters!",
                n.replayed as "replayed!",
                oldest.died_at as "first_at!",
                newest.died_at as "last_at!",
                newest.id as "latest_id!",
                newest.error as "latest_error!"
            from groups g
            cross join lateral (
                select count(*) as letters, count(d.replayed_as) as replayed
                from (
                    select replayed_as
                    from dead_letter d
                    where d.consumer = g.consumer and d.reason = g.reason
                    order by d.id desc
                    limit $1
                ) d
            ) n
            cross join lateral (
                select died_at
                from dead_letter d
                where d.consumer = g.consumer and d.reason = g.reason
                order by d.id
                limit 1
            ) oldest
            cross join lateral (
                select id, died_at, error
                from dead_letter d
                where d.consumer = g.consumer and d.reason = g.reason
                order by d.id desc
                limit 1
            ) newest
            order by n.letters desc, g.consumer, g.reason
            "#,
            DeadGroup::LETTERS_MAX + 1
        );
        Ok(groups.fetch_all(&self.pool).await?)
    }

    /// Dead letters, the newest first. Those that were replayed are listed only by their numbers.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn dead_letters(
        &self,
        filter: &DeadFilter,
        limit: i64,
    ) -> Result<Vec<DeadRow>, StoreError> {
        let rows = sqlx::query!(
            "
            select
                id, consumer, message_key, subject, reason, error, tries,
                payload, headers, trace_id, first_at, died_at, replayed_as
            from dead_letter
            where ($1::bigint[] is null or id = any ($1))
                and ($2::text is null or consumer = $2)
                and ($3::text is null or reason = $3)
                and ($1::bigint[] is not null or replayed_as is null)
            order by id desc
            limit $4
            ",
            filter.ids.as_deref(),
            filter.consumer,
            filter.reason,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let letters = rows.into_iter().map(|r| DeadRow {
            id: r.id,
            consumer: r.consumer,
            message_key: r.message_key,
            subject: r.subject,
            reason: r.reason,
            error: r.error,
            tries: r.tries,
            payload: String::from_utf8_lossy(&r.payload).into_owned(),
            headers: r.headers,
            trace_id: r.trace_id,
            first_at: r.first_at,
            died_at: r.died_at,
            replayed_as: r.replayed_as,
        });
        Ok(letters.collect())
    }

    /// Removes dead letters, in the name of an author. Returns how many.
    ///
    /// # Errors
    /// `Repeated`; or the database does not answer. None is removed then.
    pub async fn drop_dead(&self, filter: &DeadFilter, author: &Author) -> Result<u64, StoreError> {
        let mut change = Change::begin(self, author).await?;
        let done = sqlx::query!(
            "
            delete from dead_letter
            where ($1::bigint[] is null or id = any ($1))
                and ($2::text is null or consumer = $2)
                and ($3::text is null or reason = $3)
            ",
            filter.ids.as_deref(),
            filter.consumer,
            filter.reason
        )
        .execute(change.connection())
        .await?;
        let DeadFilter { ids, consumer, reason } = filter;
        let dropped = done.rows_affected();
        let after = json!({
            "dropped": dropped, "ids": ids, "consumer": consumer, "reason": reason,
        });
        change.audit("dead.drop", &after).await?;
        change.commit(&after).await?;
        Ok(dropped)
    }
}
