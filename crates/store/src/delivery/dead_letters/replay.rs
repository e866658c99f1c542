//! Sends a dead letter again, under an id of its own.
//!
//! The message goes out through the outbox, and the dead letter keeps its id, in one transaction.

use proto::{
    DeadLetter, Event, IngestList, IngestMovie, MovieChanged, MovieRefreshed, MovieStale, RunEvent,
};
use serde_json::{Value, json};
use sqlx::PgConnection;

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
    /// There is no such dead letter.
    Unknown,
}

struct Letter {
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
        select subject, payload, replayed_as
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
                subject: "movies.ingest.movie".to_owned(),
                payload: Vec::new(),
                replayed_as: before.map(ToOwned::to_owned),
            };
            assert_eq!(letter.next_message_id(7), expected);
        }
    }
}
