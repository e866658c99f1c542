//! Writes events into `outbox`, in the transaction of their cause; the relay publishes them later.

use std::fmt::Write;

use proto::{Event, TraceId};
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{Store, StoreError, delivery::subjects::like_patterns};

/// An event that is to be written.
pub(crate) struct Entry {
    subject: String,
    message_id: String,
    ordering_key: String,
    /// JSON.
    headers: String,
    /// JSON.
    payload: String,
}

/// Who tells the relay after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waking {
    /// The database notifies every process.
    Database,
    /// The writer calls [`RelayWake::written`](super::wake::RelayWake::written).
    Writer,
}

/// What differs from event to event; the bus adds what all have, and encodes values.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Headers {
    ce_id: String,
    ce_subject: String,
    ce_type: &'static str,
    ce_time: String,
    #[serde(rename = "traceparent")]
    traceparent: String,
}

/// What an event gets from its cause.
pub(crate) struct Envelope<'a> {
    /// `Nats-Msg-Id`, the same on every repetition.
    pub(crate) message_id: String,
    /// Events with the same key are published one after the other.
    pub(crate) ordering_key: String,
    /// The trace that its message came with: it goes on.
    pub(crate) trace: Option<&'a TraceId>,
    /// Events with the same cause share a trace, where none came.
    pub(crate) cause: &'a str,
    /// CloudEvents `ce-time`.
    pub(crate) at: OffsetDateTime,
}

impl Entry {
    pub(crate) fn new<E: Event>(event: &E, envelope: Envelope<'_>) -> Self {
        let Envelope { message_id, ordering_key, trace, cause, at } = envelope;
        let trace_id = trace.map_or_else(|| trace_id(cause), |trace| trace.as_str().to_owned());
        let headers = Headers {
            ce_id: message_id.clone(),
            ce_subject: event.about(),
            ce_type: E::TYPE,
            ce_time: at.format(&Rfc3339).unwrap_or_default(),
            traceparent: traceparent(&trace_id, &message_id),
        };
        let (headers, payload) = (json(&headers), json(event));
        Self { subject: event.subject(), message_id, ordering_key, headers, payload }
    }
}

/// Our own types are always written.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// W3C trace context: one span per message, the same on every repetition.
fn traceparent(trace_id: &str, message_id: &str) -> String {
    format!("00-{trace_id}-{}-01", hex_digest(message_id, 8))
}

/// The trace of everything that a cause brings about.
pub(crate) fn trace_id(cause: &str) -> String {
    hex_digest(cause, 16)
}

fn hex_digest(text: &str, bytes: usize) -> String {
    Sha256::digest(text).iter().take(bytes).fold(String::new(), |mut hex, byte| {
        // Text that is written to memory is always written.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Writes events in the caller's transaction.
pub(crate) async fn enqueue(tx: &mut PgConnection, entries: &[Entry]) -> Result<(), StoreError> {
    enqueue_and_wake(tx, entries, Waking::Database).await
}

/// [`enqueue`] for whoever can wake the relay without the database.
pub(crate) async fn enqueue_and_wake(
    tx: &mut PgConnection,
    entries: &[Entry],
    waking: Waking,
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let texts = |f: fn(&Entry) -> &String| entries.iter().map(|e| f(e).clone()).collect::<Vec<_>>();
    // The trigger of outbox reads the setting when all rows are there.
    sqlx::query!(
        "
        with waking as (
            select set_config('mangoes.wakes_relay', $6, true)
        )
        insert into outbox (subject, message_id, ordering_key, headers, payload)
        select subject, message_id, ordering_key, headers::json, payload::json
        from waking,
            unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
                with ordinality as t (subject, message_id, ordering_key, headers, payload, n)
        order by n
        ",
        &texts(|e| &e.subject),
        &texts(|e| &e.message_id),
        &texts(|e| &e.ordering_key),
        &texts(|e| &e.headers),
        &texts(|e| &e.payload),
        if waking == Waking::Writer { "on" } else { "off" }
    )
    .execute(tx)
    .await?;
    Ok(())
}

impl Store {
    /// Whether the oldest unsent event has been unsent for longer than this many seconds, and no
    /// stream was created within that time: after that all its events are unsent again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn outbox_is_late(&self, secs: i32) -> Result<bool, StoreError> {
        let late = sqlx::query_scalar!(
            r#"
            select
                coalesce(
                    (
                        select created_at < now() - make_interval(secs => $1)
                        from outbox
                        where published_at is null
                        order by id
                        limit 1
                    ),
                    false
                )
                and coalesce(
                    (select max(noted_at) from stream_generation)
                        < now() - make_interval(secs => $1),
                    true
                ) as "late!"
            "#,
            f64::from(secs)
        );
        Ok(late.fetch_one(&self.pool).await?)
    }

    /// How many events are unsent.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unsent_events(&self) -> Result<i64, StoreError> {
        let unsent = sqlx::query_scalar!(
            r#"
            select count(*) as "n!"
            from outbox
            where published_at is null
            "#
        );
        Ok(unsent.fetch_one(&self.pool).await?)
    }

    /// How many events on these subjects are published.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn events_published(&self, subjects: &[String]) -> Result<i64, StoreError> {
        let published = sqlx::query_scalar!(
            r#"
            select count(*) as "n!"
            from outbox
            where published_at is not null and subject like any ($1)
            "#,
            &like_patterns(subjects)
        );
        Ok(published.fetch_one(&self.pool).await?)
    }
}
