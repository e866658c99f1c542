//! A message that could not be worked off.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::Event;

/// A message that was accepted and cannot be worked off, with why. The truth is the table
/// `dead_letter`.
///
/// Subject `movies.dead.<consumer>`, stream `MOVIES_DEAD`; from `bus`, to operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// The consumer that gave it up.
    pub consumer: String,
    /// Message id, or stream time and sequence where the sender gave none.
    pub message_key: String,
    /// The subject that it came on.
    pub subject: String,
    /// A short code to group by, for example `not-found`.
    pub reason: String,
    /// The whole chain of errors, for people.
    pub error: String,
    /// How often the work was attempted.
    pub tries: i32,
    /// The payload as text, cut at 64 KiB; bytes that are not UTF-8 are replaced.
    pub payload: String,
    /// When it was given up; UTC, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "crate::Rfc3339")]
    pub died_at: OffsetDateTime,
    /// When its first attempt began; UTC, RFC 3339.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<crate::Rfc3339>")]
    pub first_at: Option<OffsetDateTime>,
    /// W3C trace id: of its `traceparent`, or the one that this event carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Its headers; left out where they are more than 16 KiB. The table keeps all of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

impl Event for DeadLetter {
    const TYPE: &'static str = "movies.dead.v1";

    fn subject(&self) -> String {
        format!("movies.dead.{}", self.consumer)
    }
}
