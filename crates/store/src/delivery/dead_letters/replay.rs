//! Sends a dead letter again, under an id of its own.
//!
//! The message goes out through the outbox, and the dead letter keeps its id, in one transaction.

use proto::{
    DeadLetter, Event, IngestList, IngestMovie, MovieChanged, MovieRefreshed, MovieStale, RunEvent,
};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{DeadFilter, DeadGroup};
use crate::{Store, StoreError};

/// What became of a dead letter that was to be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// It goes out under this message id.
    As(String),
    /// It went out before, under this id.
    Before(String),
    /// Its payload is not a JSON object; it needs another one.
    NoJson,
    /// It is a tick of this job, and the run that it was for is over.
    Tick(String),
    /// It was for the receiver of this webhook alone, and everybody would get it.
    Webhook(String),
    /// There is no such dead letter.
    Unknown,
}

impl Replay {
    /// Begins the names of webhooks' consumers.
    pub const WEBHOOK: &str = "webhook-";
}

/// Dead letters that a replay of many leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// How many there are; counted up to one more than [`DeadGroup::LETTERS_MAX`].
    pub letters: i64,
    pub newest_id: i64,
}

struct Letter {
    consumer: String,
    subject: String,
    payload: Vec<u8>,
    replayed_as: Option<String>,
}

impl Letter {
    /// The job whose tick it is.
    fn job_of_tick(&self) -> Option<&str> {
        self.subject.strip_prefix("movies.tick.")?.rsplit('.').next()
    }

    fn own_payload(&self) -> Option<Value> {
        // Bytes that are not JSON need another payload, which the caller is told.
        serde_json::from_slice::<Value>(&self.payload).ok().filter(Value::is_object)
    }

    /// The field that names the queue row or the run of the message. Both ended with it: the replay
    /// is work of its own.
    fn ended_field(&self) -> &'static str {
        if self.subject == "movies.ingest.list" { "run_id" } else { "queue_id" }
    }

    /// `replay:<id>:<n>`, counted from 1.
    fn next_message_id(&self, id: i64) -> String {
        let last = self.replayed_as.as_deref().and_then(|before| before.rsplit_once(':'));
        let n = last.and_then(|(_, n)| n.parse::<u32>().ok()).unwrap_or(0) + 1;
        format!("replay:{id}:{n}")
    }
}

impl Store {
    /// The numbers of dead letters that are to be replayed, the newest first. Those of webhooks and
    /// those that were replayed are named only by their numbers.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn dead_to_replay(
        &self,
        filter: &DeadFilter,
        limit: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let ids = sqlx::query_scalar!(
            "
            select id
            from dead_letter
            where ($1::bigint[] is null or id = any ($1))
                and ($2::text is null or consumer = $2)
                and ($3::text is null or reason = $3)
                and ($1::bigint[] is not null or replayed_as is null)
                and ($1::bigint[] is not null or not starts_with(consumer, $4))
            order by id desc
            limit $5
            ",
            filter.ids.as_deref(),
            filter.consumer,
            filter.reason,
            Replay::WEBHOOK,
            limit
        );
        Ok(ids.fetch_all(&self.pool).await?)
    }

    /// What [`Self::dead_to_replay`] leaves out because it is a webhook's. `None`: nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn dead_of_webhooks(
        &self,
        filter: &DeadFilter,
    ) -> Result<Option<LeftOut>, StoreError> {
        if filter.ids.is_some() {
            return Ok(None);
        }
        let left_out = sqlx::query!(
            r#"
            select count(*) as "letters!", max(id) as newest_id
            from (
                select id
                from dead_letter
                where starts_with(consumer, $3)
                    and ($1::text is null or consumer = $1)
                    and ($2::text is null or reason = $2)
                    and replayed_as is null
                order by id desc
                limit $4
            ) d
            "#,
            filter.consumer,
            filter.reason,
            Replay::WEBHOOK,
            DeadGroup::LETTERS_MAX + 1
        );
        let left_out = left_out.fetch_one(&self.pool).await?;
        Ok(left_out.newest_id.map(|newest_id| LeftOut { letters: left_out.letters, newest_id }))
    }

    /// Sends a dead letter again, with its own payload or another. `again`: also when it was
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
        let Some(letter) = locked(&mut tx, id).await? else { return Ok(Replay::Unknown) };
        if letter.consumer.starts_with(Replay::WEBHOOK) {
            return Ok(Replay::Webhook(letter.consumer));
        }
        if let Some(before) = letter.replayed_as.clone().filter(|_| !again) {
            return Ok(Replay::Before(before));
        }
        let Some(mut payload) = payload.cloned().or_else(|| letter.own_payload()) else {
            return Ok(Replay::NoJson);
        };
        if let Some(job) = letter.job_of_tick() {
            return Ok(Replay::Tick(job.to_owned()));
        }
        if let Some(fields) = payload.as_object_mut() {
            fields.remove(letter.ended_field());
        }
        let message_id = letter.next_message_id(id);
        send(&mut tx, &letter.subject, &message_id, &payload).await?;
        sqlx::query!(
            "
            update dead_letter
            set replayed_as = $2
            where id = $1
            ",
            id,
            message_id
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Replay::As(message_id))
    }
}

async fn locked(tx: &mut PgConnection, id: i64) -> Result<Option<Letter>, StoreError> {
    let letter = sqlx::query_as!(
        Letter,
        "
        select consumer, subject, payload, replayed_as
        from dead_letter
        where id = $1
        for update
        ",
        id
    );
    Ok(letter.fetch_optional(tx).await?)
}

async fn send(
    tx: &mut PgConnection,
    subject: &str,
    message_id: &str,
    payload: &Value,
) -> Result<(), StoreError> {
    let about = payload.get("tmdb_id").or_else(|| payload.get("source"));
    let about = about.map(|about| about.as_str().map_or(about.to_string(), ToOwned::to_owned));
    let headers = json!({
        "ce-id": message_id,
        "ce-subject": about.unwrap_or_default(),
        "ce-type": type_of(subject),
    });
    sqlx::query!(
        "
        insert into outbox (subject, message_id, ordering_key, headers, payload)
        values ($1, $2, $2, $3, $4)
        ",
        subject,
        message_id,
        headers,
        payload
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What a message on this subject is.
fn type_of(subject: &str) -> &'static str {
    let mut tokens = subject.split('.').skip(1);
    match (tokens.next(), tokens.next()) {
        (Some("ingest"), Some("list")) => IngestList::TYPE,
        (Some("ingest"), _) => IngestMovie::TYPE,
        (Some("stale"), _) => MovieStale::TYPE,
        (Some("changed"), _) => MovieChanged::TYPE,
        (Some("refreshed"), _) => MovieRefreshed::TYPE,
        (Some("run"), _) => RunEvent::TYPE,
        (Some(_) | None, _) => DeadLetter::TYPE,
    }
}

#[cfg(test)]
mod tests {
    use super::Letter;

    #[test]
    fn every_replay_has_an_id_of_its_own() {
        for (before, expected) in [
            (None, "replay:7:1"),
            (Some("replay:7:1"), "replay:7:2"),
            (Some("replay:7:41"), "replay:7:42"),
        ] {
            let letter = Letter {
                consumer: "ingest-movie".to_owned(),
                subject: "movies.ingest.movie".to_owned(),
                payload: Vec::new(),
                replayed_as: before.map(ToOwned::to_owned),
            };
            assert_eq!(letter.next_message_id(7), expected);
        }
    }
}
