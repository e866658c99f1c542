//! The verbs of dead letters.

use std::time::Duration;

use bus::Bus;
use serde_json::{Value, json};
use store::{Author, DeadGroup, DeadRow};

use super::{Client, ask, ask_of, signed, with};
use crate::{
    Noun, OperatorError,
    answers::{DeadGroups, DeadLetters, Dropped, Replays},
    dead::{self, DeadLetterSelection, ReplayOptions, Replayed},
};

/// Dead letters that one request replays.
const GROUP_MAX: i64 = 1_000;
const SECOND: Duration = Duration::from_secs(1);

impl Client {
    /// Dead letters by reason.
    ///
    /// # Errors
    /// As [`dead::groups`].
    pub async fn dead_groups(&self) -> Result<Vec<DeadGroup>, OperatorError> {
        match self {
            Self::Database(store) => dead::groups(store).await,
            Self::Nats(bus) => Ok(ask::<DeadGroups>(bus, "dead.groups", json!({})).await?.groups),
        }
    }

    /// Dead letters one by one.
    ///
    /// # Errors
    /// As [`dead::list`].
    pub async fn dead_letters(
        &self,
        selection: &DeadLetterSelection,
        limit: i64,
    ) -> Result<Vec<DeadRow>, OperatorError> {
        match self {
            Self::Database(store) => dead::list(store, selection, limit).await,
            Self::Nats(bus) => {
                let body = with(selected(selection), json!({ "limit": limit }));
                Ok(ask::<DeadLetters>(bus, "dead.list", body).await?.dead_letters)
            }
        }
    }

    /// One dead letter.
    ///
    /// # Errors
    /// `Unknown`.
    pub async fn dead_letter(&self, id: i64) -> Result<DeadRow, OperatorError> {
        match self {
            Self::Database(store) => dead::show(store, id).await,
            Self::Nats(bus) => {
                let body = json!({ "id": id });
                ask_of(bus, "dead.show", body, Noun::DeadLetter, &id.to_string()).await
            }
        }
    }

    /// Sends dead letters again.
    ///
    /// # Errors
    /// As [`dead::replay`].
    pub async fn replay(
        &self,
        selection: &DeadLetterSelection,
        options: &ReplayOptions,
        by: &Author,
    ) -> Result<Vec<Replayed>, OperatorError> {
        match self {
            Self::Database(store) => dead::replay(store, selection, options, by).await,
            Self::Nats(bus) => replay_in_groups(bus, selection, options, by).await,
        }
    }

    /// Removes dead letters; returns how many.
    ///
    /// # Errors
    /// As [`dead::drop`].
    pub async fn drop_dead(
        &self,
        selection: &DeadLetterSelection,
        by: &Author,
    ) -> Result<u64, OperatorError> {
        match self {
            Self::Database(store) => dead::drop(store, selection, by).await,
            Self::Nats(bus) => {
                let body = signed(selected(selection), by);
                Ok(ask::<Dropped>(bus, "dead.drop", body).await?.dropped)
            }
        }
    }
}

/// A group each second, at the rate that was asked for: one request has to be answered in time.
async fn replay_in_groups(
    bus: &Bus,
    selection: &DeadLetterSelection,
    options: &ReplayOptions,
    by: &Author,
) -> Result<Vec<Replayed>, OperatorError> {
    let ReplayOptions { payload, again, per_second, limit } = options;
    let most = if *per_second == 0 { GROUP_MAX } else { i64::from(*per_second).min(GROUP_MAX) };
    let mut replayed = Vec::new();
    loop {
        let left = limit - i64::try_from(replayed.len()).unwrap_or(i64::MAX);
        let group = most.min(left);
        let what = json!({ "payload": payload, "again": again, "limit": group });
        let body = signed(with(selected(selection), what), by);
        let Replays { replayed: some } = ask(bus, "dead.replay", body).await?;
        // What was replayed is not chosen once more, but for `again`; what is refused is.
        let is_new = |one: &Replayed| !replayed.iter().any(|old: &Replayed| old.id == one.id);
        let new = some.iter().filter(|one| one.replayed_as.is_some() && is_new(one)).count();
        let is_last = i64::try_from(some.len()).unwrap_or(i64::MAX) < group || *again || new == 0;
        replayed.extend(some);
        if is_last || group == left {
            return Ok(replayed);
        }
        tokio::time::sleep(if *per_second == 0 { Duration::ZERO } else { SECOND }).await;
    }
}

fn selected(selection: &DeadLetterSelection) -> Value {
    let DeadLetterSelection { ids, consumer, reason, all } = selection;
    json!({ "ids": ids, "consumer": consumer, "reason": reason, "all": all })
}
