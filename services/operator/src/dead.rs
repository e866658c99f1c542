//! Dead letters: looked at, replayed under a new message id, dropped.
//!
//! Replaying or dropping needs an explicit selection, so that nobody does it to everything by a
//! forgotten word. Each replay and each drop leaves a row in `job_audit`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Author, DeadFilter, DeadGroup, DeadRow, Replay, Store, StoreError};

use crate::{Noun, OperatorError, kept::field};

/// Which dead letters: everything that is given has to match.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterSelection {
    pub ids: Option<Vec<i64>>,
    pub consumer: Option<String>,
    pub reason: Option<String>,
    /// Nothing else is given, on purpose.
    pub all: bool,
}

impl DeadLetterSelection {
    fn filter(&self) -> DeadFilter {
        DeadFilter {
            ids: self.ids.clone(),
            consumer: self.consumer.clone(),
            reason: self.reason.clone(),
        }
    }

    /// What is selected on purpose.
    ///
    /// # Errors
    /// `Invalid` when nothing is selected.
    pub fn explicit(&self) -> Result<DeadFilter, OperatorError> {
        let given = self.ids.is_some() || self.consumer.is_some() || self.reason.is_some();
        if given || self.all {
            return Ok(self.filter());
        }
        Err(OperatorError::Invalid(
            "say which dead letters: by ids, consumer, reason, or all".to_owned(),
        ))
    }
}

/// How dead letters are replayed.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// In place of the payload of the one dead letter that is selected.
    pub payload: Option<Value>,
    /// Also those that were replayed before.
    pub again: bool,
    /// At most this many a second; 0 = without a pause.
    pub per_second: u32,
    /// At most this many in all.
    pub limit: i64,
}

/// What became of a dead letter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Replayed {
    pub id: i64,
    /// The new message's id.
    pub replayed_as: Option<String>,
    /// Why it was not replayed.
    pub reason: Option<String>,
}

/// Dead letters by reason and consumer, the largest group first.
///
/// # Errors
/// When the database does not answer.
pub async fn groups(store: &Store) -> Result<Vec<DeadGroup>, OperatorError> {
    Ok(store.dead_groups().await?)
}

/// Dead letters one by one, the newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    store: &Store,
    selection: &DeadLetterSelection,
    limit: i64,
) -> Result<Vec<DeadRow>, OperatorError> {
    Ok(store.dead_letters(&selection.filter(), limit).await?)
}

/// One dead letter.
///
/// # Errors
/// `Unknown`.
pub async fn show(store: &Store, id: i64) -> Result<DeadRow, OperatorError> {
    let filter = DeadFilter { ids: Some(vec![id]), ..DeadFilter::default() };
    let found = store.dead_letters(&filter, 1).await?.pop();
    found.ok_or_else(|| OperatorError::unknown(Noun::DeadLetter, id))
}

/// Replays dead letters, the oldest first, each under a message id of its own. Repeating is
/// harmless: a dead letter is replayed once, unless `again` is set. Those of webhooks are left out;
/// one more answer says how many and why, where the limit leaves room for it.
///
/// Which ones are replayed is written down first, with the id of the request: a repetition, also of
/// a request that ended half way, replays what is left of these, and no others.
///
/// # Errors
/// `Invalid` when nothing is selected, or the payload is not an object for one dead letter;
/// `Refused` when the id of the request was used for one of another kind.
pub async fn replay(
    store: &Store,
    selection: &DeadLetterSelection,
    options: &ReplayOptions,
    author: &Author,
) -> Result<Vec<Replayed>, OperatorError> {
    let filter = checked(selection, options)?;
    let chosen = choose(store, &filter, options.limit, author).await?;
    let again = options.again && !chosen.is_repeated;
    let mut ended = Vec::new();
    for &id in &chosen.ids {
        let replay = store.replay_dead(id, options.payload.as_ref(), again).await?;
        ended.push(replayed(id, chosen.seen(replay)));
        if options.per_second > 0 {
            tokio::time::sleep(Duration::from_secs(1) / options.per_second).await;
        }
    }
    let left_out = store.dead_of_webhooks(&filter).await?;
    // Who asks in groups takes a full one for a sign that there are more (client/dead.rs).
    let has_room = i64::try_from(ended.len() + 1).is_ok_and(|answers| answers < options.limit);
    ended.extend(left_out.filter(|_| has_room).map(|l| of_webhooks(l.newest_id, l.letters)));
    Ok(ended)
}

/// Dead letters that a request replays.
struct Chosen {
    /// The oldest first.
    ids: Vec<i64>,
    /// The request was made before.
    is_repeated: bool,
}

impl Chosen {
    /// What the request did, also where it did so the first time.
    fn seen(&self, replay: Replay) -> Replay {
        if let (true, Replay::Before(message_id)) = (self.is_repeated, &replay) {
            return Replay::As(message_id.clone());
        }
        replay
    }
}

async fn choose(
    store: &Store,
    filter: &DeadFilter,
    limit: i64,
    author: &Author,
) -> Result<Chosen, OperatorError> {
    let mut ids = store.dead_to_replay(filter, limit).await?;
    ids.reverse();
    if ids.is_empty() && author.request_id.is_none() {
        return Ok(Chosen { ids, is_repeated: false });
    }
    match store.audit("dead.replay", &json!({ "letters": ids }), author).await {
        Ok(()) => Ok(Chosen { ids, is_repeated: false }),
        Err(StoreError::Repeated(kept)) => {
            let letters = field(&kept, "letters")?.clone();
            let ids = serde_json::from_value(letters).map_err(OperatorError::Json)?;
            Ok(Chosen { ids, is_repeated: true })
        }
        Err(error) => Err(error.into()),
    }
}

/// Refuses what can be refused without the database.
///
/// # Errors
/// `Invalid` when nothing is selected, or the payload is not an object for one dead letter.
pub fn checked(
    selection: &DeadLetterSelection,
    options: &ReplayOptions,
) -> Result<DeadFilter, OperatorError> {
    let filter = selection.explicit()?;
    check_payload(options, &filter)?;
    Ok(filter)
}

fn check_payload(options: &ReplayOptions, filter: &DeadFilter) -> Result<(), OperatorError> {
    let Some(payload) = &options.payload else { return Ok(()) };
    let one = filter.ids.as_ref().is_some_and(|ids| ids.len() == 1);
    if payload.is_object() && one {
        return Ok(());
    }
    Err(OperatorError::Invalid(
        "a payload is one JSON object, for one id: give both, or leave the payload out".to_owned(),
    ))
}

fn replayed(id: i64, replay: Replay) -> Replayed {
    let refused = |reason: String| Replayed { id, replayed_as: None, reason: Some(reason) };
    match replay {
        Replay::As(message_id) => Replayed { id, replayed_as: Some(message_id), reason: None },
        Replay::Before(message_id) => refused(format!(
            "it was replayed before as {message_id}; --again (by NATS: again) replays it once more"
        )),
        Replay::NoJson => refused(
            "its payload is not a JSON object; give another with --payload (by NATS: payload)"
                .to_owned(),
        ),
        Replay::Tick(job) => refused(format!(
            "the run of this tick is over; start another with `mangoes jobs run {job}`, and with \
             --payload where the job's own payload is wrong"
        )),
        Replay::Webhook(consumer) => refused(format!("{consumer} could not send it; {REMEDY}")),
        Replay::Unknown => refused("it was dropped meanwhile".to_owned()),
    }
}

/// What to do with dead letters of webhooks.
const REMEDY: &str = "a replay would reach everybody who reads events; to send a receiver what it \
                      missed, begin `mangoes webhook` with another --name and --from-oldest; \
                      `mangoes dead drop` removes dead letters";

/// The answer for those that are left out; it has the number of the newest.
fn of_webhooks(newest_id: i64, letters: i64) -> Replayed {
    let most = DeadGroup::LETTERS_MAX;
    let count = if letters > most { format!("more than {most}") } else { letters.to_string() };
    let reason = format!("dead letters of webhooks are left out ({count}); {REMEDY}");
    Replayed { id: newest_id, replayed_as: None, reason: Some(reason) }
}

/// Removes dead letters. Returns how many.
///
/// # Errors
/// `Invalid` when nothing is selected.
pub async fn drop(
    store: &Store,
    selection: &DeadLetterSelection,
    author: &Author,
) -> Result<u64, OperatorError> {
    Ok(store.drop_dead(&selection.explicit()?, author).await?)
}
