//! Dead letters as people handle them: looked at, replayed under a new id, dropped.

use serde_json::Value;
use time::OffsetDateTime;

use crate::{Store, StoreError};

/// Which dead letters: everything that is given has to match.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    /// These.
    pub ids: Option<Vec<i64>>,
    /// Of this consumer.
    pub consumer: Option<String>,
    /// With this reason.
    pub reason: Option<String>,
}

/// A dead letter.
#[derive(Debug, Clone, serde::Serialize)]
pub struct DeadRow {
    /// Its number.
    pub id: i64,
    /// Who gave it up.
    pub consumer: String,
    /// Its message key.
    pub message_key: String,
    /// Where it came on.
    pub subject: String,
    /// Short code.
    pub reason: String,
    /// The chain of errors.
    pub error: String,
    /// How often it was tried.
    pub tries: i32,
    /// As text; what is no UTF-8 is replaced.
    pub payload: String,
    /// Its headers.
    pub headers: Value,
    /// W3C trace id.
    pub trace_id: Option<String>,
    /// First try.
    #[serde(with = "time::serde::rfc3339")]
    pub first_at: OffsetDateTime,
    /// When it was given up.
    #[serde(with = "time::serde::rfc3339")]
    pub died_at: OffsetDateTime,
    /// The id of the message that replayed it.
    pub replayed_as: Option<String>,
}

/// Dead letters of one consumer and reason.
#[derive(Debug, Clone, serde::Serialize)]
pub struct DeadGroup {
    /// Who gave them up.
    pub consumer: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub letters: i64,
    /// Of these, replayed.
    pub replayed: i64,
    /// The oldest.
    #[serde(with = "time::serde::rfc3339")]
    pub first_at: OffsetDateTime,
    /// The newest.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
    /// The newest one's number.
    pub latest_id: i64,
    /// The newest one's error.
    pub latest_error: String,
}

/// What became of a letter that was to be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// It goes out under this message id.
    As(String),
    /// It went out before, under this id.
    Before(String),
    /// Its payload is no JSON object; it needs another one.
    NoJson,
    /// It is a tick of this job, and the run that it was for is over.
    Tick(String),
    /// There is no such letter.
    Unknown,
}

impl Store {
    /// Dead letters by consumer and reason, the largest group first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn dead_groups(&self) -> Result<Vec<DeadGroup>, StoreError> {
        let rows = sqlx::query_as!(
            DeadGroup,
            r#"select consumer, reason, count(*) as "letters!", count(replayed_as) as "replayed!", min(died_at) as "first_at!", max(died_at) as "last_at!",
                max(id) as "latest_id!", (array_agg(error order by id desc))[1] as "latest_error!"
            from dead_letter group by consumer, reason order by count(*) desc, consumer, reason"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Dead letters, the newest first; those that were replayed only by their numbers.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn dead_letters(
        &self,
        filter: &DeadFilter,
        limit: i64,
    ) -> Result<Vec<DeadRow>, StoreError> {
        let rows = sqlx::query!(
            "select id, consumer, message_key, subject, reason, error, tries, payload, headers, trace_id, first_at, died_at, replayed_as from dead_letter
             where ($1::bigint[] is null or id = any($1)) and ($2::text is null or consumer = $2) and ($3::text is null or reason = $3)
                and ($1::bigint[] is not null or replayed_as is null)
             order by id desc limit $4",
            filter.ids.as_deref(),
            filter.consumer,
            filter.reason,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|r| DeadRow {
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
            })
            .collect())
    }

    /// Sends a dead letter again, under an id of its own, with its own payload or another. It goes
    /// out through the outbox, and the letter says under which id. `again`: also when it was
    /// replayed before.
    ///
    /// # Errors
    /// When the database does not answer; nothing is sent then.
    pub async fn replay_dead(
        &self,
        id: i64,
        payload: Option<&Value>,
        again: bool,
    ) -> Result<Replay, StoreError> {
        let mut tx = self.pool.begin().await?;
        let letter = sqlx::query!(
            "select subject, payload, replayed_as from dead_letter where id = $1 for update",
            id
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(letter) = letter else { return Ok(Replay::Unknown) };
        if let Some(before) = letter.replayed_as.clone().filter(|_| !again) {
            return Ok(Replay::Before(before));
        }
        let own = || serde_json::from_slice::<Value>(&letter.payload).ok().filter(Value::is_object);
        let Some(mut payload) = payload.cloned().or_else(own) else { return Ok(Replay::NoJson) };
        if letter.subject.starts_with("movies.tick.") {
            return Ok(Replay::Tick(
                letter.subject.rsplit('.').next().unwrap_or_default().to_owned(),
            ));
        }
        // Its queue row, or its run, ended with it; the replay is work of its own.
        let ended = if letter.subject == "movies.ingest.list" { "run_id" } else { "queue_id" };
        payload.as_object_mut().map(|object| object.remove(ended));
        let before = letter
            .replayed_as
            .as_deref()
            .and_then(|r| r.rsplit_once(':')?.1.parse::<u32>().ok())
            .unwrap_or(0);
        let message_id = format!("replay:{id}:{}", before + 1);
        sqlx::query!(
            "insert into outbox (subject, message_id, ordering_key, headers, payload) values ($1, $2, $2, $3, $4)",
            letter.subject,
            message_id,
            serde_json::json!({ "ce-id": message_id, "ce-source": "mangoes", "ce-specversion": "1.0", "ce-type": "replay" }),
            payload
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("update dead_letter set replayed_as = $2 where id = $1", id, message_id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Replay::As(message_id))
    }

    /// Removes dead letters. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer; none is removed then.
    pub async fn drop_dead(&self, filter: &DeadFilter) -> Result<u64, StoreError> {
        let done = sqlx::query!(
            "delete from dead_letter where ($1::bigint[] is null or id = any($1)) and ($2::text is null or consumer = $2) and ($3::text is null or reason = $3)",
            filter.ids.as_deref(),
            filter.consumer,
            filter.reason
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}
