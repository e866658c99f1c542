//! Writes a dead letter and its event.

use delivery::DeadMessage;
use proto::{DeadLetter, TraceId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    StoreError,
    delivery::outbox::{self, Entry, Envelope},
};

/// Longest payload text in the event; the table keeps all of it.
const PAYLOAD_MAX_CHARS: usize = 65_536;
/// Most bytes of headers in the event; the table keeps all of them.
const HEADERS_MAX_BYTES: usize = 16_384;

/// Writes the row and its event once, in the caller's transaction.
pub(crate) async fn write(tx: &mut PgConnection, dead: &DeadMessage) -> Result<(), StoreError> {
    let trace = trace(dead);
    let trace_id = trace
        .as_ref()
        .map_or_else(|| outbox::trace_id(&dead.message.key), |trace| trace.as_str().to_owned());
    // Not the start of the transaction: the relay's is open while it publishes.
    let died_at = sqlx::query_scalar!(
        "
        insert into dead_letter (
            consumer, message_key, subject, reason, error, tries,
            payload, headers, first_at, died_at, trace_id
        )
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp(), $10)
        on conflict do nothing
        returning died_at
        ",
        dead.message.consumer,
        dead.message.key.as_str(),
        dead.subject,
        dead.reason.as_str(),
        dead.error,
        dead.attempts,
        dead.payload,
        dead.headers,
        dead.first_at,
        trace_id
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(now) = died_at else { return Ok(()) };
    // The event must be publishable, whatever the id of its message is.
    let id = format!("dead:{}:{}", dead.message.consumer, dead.message.key)
        .replace(char::is_control, "?");
    let envelope = Envelope {
        message_id: id.clone(),
        ordering_key: id,
        trace: trace.as_ref(),
        cause: &dead.message.key,
        at: now,
    };
    outbox::enqueue(tx, &[Entry::new(&event(dead, trace_id, now), envelope)]).await
}

fn event(dead: &DeadMessage, trace_id: String, now: OffsetDateTime) -> DeadLetter {
    // Text in Postgres cannot contain U+0000.
    let payload = String::from_utf8_lossy(&dead.payload).replace('\0', "\u{fffd}");
    let headers =
        dead.headers.as_object().filter(|_| dead.headers.to_string().len() <= HEADERS_MAX_BYTES);
    let headers = headers
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    DeadLetter {
        consumer: dead.message.consumer.to_owned(),
        message_key: dead.message.key.to_string(),
        subject: dead.subject.clone(),
        reason: dead.reason.to_string(),
        error: dead.error.clone(),
        tries: dead.attempts,
        payload: payload.chars().take(PAYLOAD_MAX_CHARS).collect(),
        died_at: now,
        first_at: Some(dead.first_at),
        trace_id: Some(trace_id),
        headers: headers.collect(),
    }
}

/// The trace of the W3C `traceparent` that came with the message.
fn trace(dead: &DeadMessage) -> Option<TraceId> {
    TraceId::of_traceparent(dead.headers.get("traceparent")?.as_str()?)
}
