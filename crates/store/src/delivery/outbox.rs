//! Writes events into `outbox`, in the transaction of their cause; the relay publishes them later.

use proto::Event;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{Store, StoreError, delivery::subjects::like_patterns};

/// An event that is to be written.
pub(crate) struct Entry {
    subject: String,
    message_id: String,
    ordering_key: String,
    headers: Value,
    payload: Value,
}

/// What an event gets from its cause.
pub(crate) struct Envelope<'a> {
    /// `Nats-Msg-Id`, the same on every repetition.
    pub(crate) message_id: String,
    /// Events with the same key are published one after the other.
    pub(crate) ordering_key: String,
    /// Events with the same cause share a trace.
    pub(crate) cause: &'a str,
    /// CloudEvents `ce-time`.
    pub(crate) at: OffsetDateTime,
}

impl Entry {
    pub(crate) fn new<E: Event>(event: &E, envelope: Envelope<'_>) -> Self {
        let Envelope { message_id, ordering_key, cause, at } = envelope;
        let headers = json!({
            "ce-id": message_id,
            "ce-source": "mangoes",
            "ce-type": E::TYPE,
            "ce-time": at.format(&Rfc3339).unwrap_or_default(),
            "ce-specversion": "1.0",
            "traceparent": traceparent(&trace_id(cause), &message_id),
        });
        let payload = serde_json::to_value(event).unwrap_or_default();
        Self { subject: event.subject(), message_id, ordering_key, headers, payload }
    }

    /// The same event in a trace that is known.
    pub(crate) fn in_trace(mut self, trace_id: &str) -> Self {
        let own = traceparent(trace_id, &self.message_id);
        if let Some(headers) = self.headers.as_object_mut() {
            headers.insert("traceparent".to_owned(), own.into());
        }
        self
    }
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
    Sha256::digest(text).iter().take(bytes).map(|b| format!("{b:02x}")).collect()
}

/// Writes events in the caller's transaction.
pub(crate) async fn enqueue(tx: &mut PgConnection, entries: &[Entry]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let texts = |f: fn(&Entry) -> &String| entries.iter().map(|e| f(e).clone()).collect::<Vec<_>>();
    let values = |f: fn(&Entry) -> &Value| entries.iter().map(|e| f(e).clone()).collect::<Vec<_>>();
    sqlx::query!(
        "
        insert into outbox (subject, message_id, ordering_key, headers, payload)
        select subject, message_id, ordering_key, headers, payload
        from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[])
            as t (subject, message_id, ordering_key, headers, payload)
        ",
        &texts(|e| &e.subject),
        &texts(|e| &e.message_id),
        &texts(|e| &e.ordering_key),
        &values(|e| &e.headers),
        &values(|e| &e.payload)
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
