//! Dead letters: looked at, sent again, dropped.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Author, DeadFilter, DeadRow, Replay, Store};

use crate::ApiError;

/// Letters that one request handles; the command line takes them one by one and has no such limit.
const MOST: i64 = 1_000;

/// Which letters.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Which {
    /// These.
    pub ids: Option<Vec<i64>>,
    /// All of this consumer.
    pub consumer: Option<String>,
    /// All with this reason.
    pub reason: Option<String>,
    /// All.
    pub all: bool,
    /// How many, for a list: 1 to 1000.
    pub limit: Option<i64>,
    /// Another payload, for one id.
    pub payload: Option<Value>,
    /// Also those that were replayed before.
    pub again: bool,
}

impl Which {
    fn filter(&self) -> DeadFilter {
        DeadFilter {
            ids: self.ids.clone(),
            consumer: self.consumer.clone(),
            reason: self.reason.clone(),
        }
    }

    /// Something has to be named, so that nobody replays or drops everything by a forgotten word.
    fn named(&self) -> Result<DeadFilter, ApiError> {
        if self.ids.is_none() && self.consumer.is_none() && self.reason.is_none() && !self.all {
            return Err(ApiError::Invalid("say which: ids, consumer, reason, or all".to_owned()));
        }
        Ok(self.filter())
    }
}

/// What became of a letter.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// Its number.
    pub id: i64,
    /// The new message's id.
    pub replayed_as: Option<String>,
    /// Why it was not sent.
    pub reason: Option<String>,
}

/// Letters one by one.
///
/// # Errors
/// When the database does not answer.
pub async fn list(store: &Store, which: &Which) -> Result<Vec<DeadRow>, ApiError> {
    Ok(store.dead_letters(&which.filter(), which.limit.unwrap_or(50).clamp(1, MOST)).await?)
}

/// One letter.
///
/// # Errors
/// `Unknown`.
pub async fn show(store: &Store, id: i64) -> Result<DeadRow, ApiError> {
    let filter = DeadFilter { ids: Some(vec![id]), ..DeadFilter::default() };
    store
        .dead_letters(&filter, 1)
        .await?
        .pop()
        .ok_or_else(|| ApiError::Unknown(format!("there is no dead letter {id}")))
}

/// Sends letters again, each under an id of its own. Repeating is harmless: a letter goes out once,
/// unless `again` is set.
///
/// # Errors
/// `Invalid` when nothing is named, or the payload is no object for one id.
pub async fn replay(
    store: &Store,
    which: &Which,
    author: &Author,
) -> Result<Vec<Replayed>, ApiError> {
    let filter = which.named()?;
    if let Some(payload) = &which.payload
        && (!payload.is_object() || which.ids.as_ref().is_none_or(|ids| ids.len() != 1))
    {
        return Err(ApiError::Invalid("payload is one JSON object for one id".to_owned()));
    }
    let mut ended = Vec::new();
    for letter in store.dead_letters(&filter, MOST).await?.iter().rev() {
        ended.push(replay_one(store, letter.id, (which.payload.as_ref(), which.again)).await?);
    }
    store
        .audit(
            "dead.replay",
            &serde_json::json!({ "letters": ended.iter().map(|e| e.id).collect::<Vec<_>>() }),
            author,
        )
        .await?;
    Ok(ended)
}

/// Sends one letter again.
///
/// # Errors
/// When the database does not answer.
pub async fn replay_one(
    store: &Store,
    id: i64,
    (payload, again): (Option<&Value>, bool),
) -> Result<Replayed, ApiError> {
    let reason = match store.replay_dead(id, payload, again).await? {
        Replay::As(message_id) => {
            return Ok(Replayed { id, replayed_as: Some(message_id), reason: None });
        }
        Replay::Before(message_id) => format!(
            "it went out before as {message_id}; --again (by NATS: again) sends it once more"
        ),
        Replay::NoJson => {
            "its payload is no JSON object; give another with --payload (by NATS: payload)"
                .to_owned()
        }
        Replay::Tick(job) => {
            format!(
                "the run that the tick was for is over; begin another: mangoes jobs run {job}, with --payload where the job's does not fit"
            )
        }
        Replay::Unknown => "it is gone".to_owned(),
    };
    Ok(Replayed { id, replayed_as: None, reason: Some(reason) })
}

/// Removes letters. Returns how many.
///
/// # Errors
/// `Invalid` when nothing is named.
pub async fn drop(store: &Store, which: &Which, author: &Author) -> Result<u64, ApiError> {
    let dropped = store.drop_dead(&which.named()?).await?;
    store
        .audit(
            "dead.drop",
            &serde_json::json!({ "dropped": dropped, "ids": which.ids, "consumer": which.consumer, "reason": which.reason }),
            author,
        )
        .await?;
    Ok(dropped)
}
