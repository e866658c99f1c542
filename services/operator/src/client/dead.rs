//! The verbs of dead letters.

use serde_json::{Value, json};
use store::{Author, DeadGroup, DeadRow};

use super::{Client, ask, ask_of, read, signed, with};
use crate::{
    Noun, OperatorError,
    dead::{self, DeadLetterSelection, ReplayOptions, Replayed},
};

impl Client {
    /// Dead letters by reason.
    ///
    /// # Errors
    /// As [`dead::groups`].
    pub async fn dead_groups(&self) -> Result<Vec<DeadGroup>, OperatorError> {
        match self {
            Self::Database(store) => dead::groups(store).await,
            Self::Nats(bus) => ask(bus, "dead.groups", json!({})).await,
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
                ask(bus, "dead.list", with(selected(selection), json!({ "limit": limit }))).await
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
            Self::Nats(bus) => {
                let ReplayOptions { payload, again, .. } = options;
                let body = with(selected(selection), json!({ "payload": payload, "again": again }));
                ask(bus, "dead.replay", signed(body, by)).await
            }
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
                let answer: Value = ask(bus, "dead.drop", signed(selected(selection), by)).await?;
                read("dead.drop", answer.get("dropped").cloned().unwrap_or_default())
            }
        }
    }
}

fn selected(selection: &DeadLetterSelection) -> Value {
    let DeadLetterSelection { ids, consumer, reason, all } = selection;
    json!({ "ids": ids, "consumer": consumer, "reason": reason, "all": all })
}
