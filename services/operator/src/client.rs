//! The verbs for a command line: by the database, or by NATS where only that is known. Both ways
//! give the same answers.

mod dead;
mod jobs;
mod movies;

use bus::{Bus, ServiceError};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::{Author, Status, Store};
use time::OffsetDateTime;

use crate::{Noun, OperatorError, answers::Now, status};

/// Where the verbs of `movies.api` begin.
pub(crate) const API: &str = "movies.api";

/// A way to the verbs.
#[derive(Clone)]
pub enum Client {
    /// The database itself.
    Database(Store),
    /// A process that answers `movies.api.*`.
    Nats(Box<Bus>),
}

impl Client {
    /// The database's time, which spans are counted from.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn now(&self) -> Result<OffsetDateTime, OperatorError> {
        match self {
            Self::Database(store) => Ok(store.now().await?),
            Self::Nats(bus) => Ok(ask::<Now>(bus, "time", json!({})).await?.now),
        }
    }

    /// Freshness, backlog, budget.
    ///
    /// # Errors
    /// As [`status::read`].
    pub async fn status(&self) -> Result<Status, OperatorError> {
        match self {
            Self::Database(store) => status::read(store).await,
            Self::Nats(bus) => ask(bus, "status", json!({})).await,
        }
    }
}

/// Asks for a verb, and reads its answer.
async fn ask<T: DeserializeOwned>(bus: &Bus, verb: &str, body: Value) -> Result<T, OperatorError> {
    let answer = bus.ask(API, verb, body.to_string().into_bytes()).await?;
    serde_json::from_slice(&answer).map_err(|error| {
        OperatorError::Unreadable(format!("the answer to {verb} is of another version: {error}"))
    })
}

/// As [`ask`], about one thing, which may not be there.
async fn ask_of<T: DeserializeOwned>(
    bus: &Bus,
    verb: &str,
    body: Value,
    what: Noun,
    name: &str,
) -> Result<T, OperatorError> {
    let is_missing = |error: &OperatorError| {
        matches!(error, OperatorError::Service(ServiceError { code: 404, .. }))
    };
    let answer = ask(bus, verb, body).await;
    answer.map_err(|e| if is_missing(&e) { OperatorError::unknown(what, name) } else { e })
}

fn written(value: &impl serde::Serialize) -> Result<Value, OperatorError> {
    serde_json::to_value(value).map_err(OperatorError::Json)
}

/// Who asks, as far as the request can say so.
fn signed(body: Value, by: &Author) -> Value {
    with(body, json!({ "by": by.by, "request_id": by.request_id }))
}

fn with(mut body: Value, more: Value) -> Value {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}
