//! The key by which the inbox knows a message.

use async_nats::HeaderMap;
use proto::{MessageKey, TraceId};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The header with the id that a sender gave.
pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";
/// Longest message id that is taken as it is; an index of Postgres holds no more than 2,700 bytes.
const ID_MAX_BYTES: usize = 500;
/// Text of Postgres holds no U+0000.
const NUL: char = '\0';

/// Where and when a stream stored a message.
pub(crate) struct StoredAt<'a> {
    pub(crate) stream: &'a str,
    /// Nanoseconds since 1970.
    pub(crate) nanos: i128,
    pub(crate) sequence: u64,
}

/// The headers as a JSON object, first value of each.
pub(crate) fn headers(map: Option<&HeaderMap>) -> Map<String, Value> {
    map.iter()
        .flat_map(|h| h.iter())
        .filter_map(|(name, values)| {
            Some((clean(name.as_ref()), clean(values.first()?.as_str()).into()))
        })
        .collect()
}

/// The first `Nats-Msg-Id`.
pub(crate) fn id_of(map: Option<&HeaderMap>) -> Option<String> {
    map?.get(MESSAGE_ID).map(|id| clean(id.as_str()))
}

/// The trace that the sender's `traceparent` names.
pub(crate) fn trace_of(map: &HeaderMap) -> Option<TraceId> {
    TraceId::of_traceparent(map.get("traceparent")?.as_str())
}

/// The id, else stream, time and sequence: sequences start again when a store is lost, the time of
/// storing does not.
pub(crate) fn message_key(id: Option<&str>, stored: &StoredAt<'_>) -> MessageKey {
    MessageKey::new(key_text(id, stored))
}

fn key_text(id: Option<&str>, stored: &StoredAt<'_>) -> String {
    match id {
        Some(id) if id.len() <= ID_MAX_BYTES => id.to_owned(),
        Some(id) => {
            let hash: String = Sha256::digest(id).iter().map(|b| format!("{b:02x}")).collect();
            format!("sha256:{hash}")
        }
        None => format!("{}:{}:{}", stored.stream, stored.nanos, stored.sequence),
    }
}

/// Without what Postgres cannot hold.
pub(crate) fn clean(text: &str) -> String {
    text.replace(NUL, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: Option<&str>) -> String {
        let mut map = HeaderMap::new();
        if let Some(id) = id {
            map.insert(MESSAGE_ID, id);
        }
        let stored = StoredAt { stream: "S", nanos: 5, sequence: 7 };
        message_key(id_of(Some(&map)).as_deref(), &stored).to_string()
    }

    #[test]
    fn every_message_has_a_key_that_the_inbox_can_hold() {
        assert_eq!(key(Some("order-1")), "order-1");
        assert_eq!(key(None), "S:5:7");
        let long = "x".repeat(5_000);
        assert!(key(Some(&long)).len() < 100);
        assert_ne!(key(Some(&long)), key(Some(&format!("{long}y"))));
        assert_eq!(clean("a\0b"), "a\u{fffd}b");
    }
}
