//! Dead letters, written together with what they mean for a run, a movie or the queue.

use delivery::{DeadMessage, Effect};
use proto::DeadLetter;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    Store, StoreError, ledger,
    outbox::{self, entry},
    runs::{self, Settled},
    within::{SHORT, within},
};

/// Longest payload text in the event; the table keeps all of it.
const PAYLOAD_MAX_CHARS: usize = 65_536;
/// Most bytes of headers in the event; the table keeps all of them.
const HEADERS_MAX_BYTES: usize = 16_384;

/// The row and its event, once, in the caller's transaction.
pub(crate) async fn write(
    tx: &mut PgConnection,
    dead: &DeadMessage,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let trace_id = trace_id(dead);
    let written = sqlx::query!(
        "insert into dead_letter (consumer, message_key, subject, reason, error, tries, payload, headers, first_at, died_at, trace_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing",
        dead.message.consumer,
        dead.message.key.as_str(),
        dead.subject,
        dead.reason.as_str(),
        dead.error,
        dead.attempts,
        dead.payload,
        dead.headers,
        dead.first_at,
        now,
        trace_id
    )
    .execute(&mut *tx)
    .await?;
    if written.rows_affected() == 0 {
        return Ok(());
    }
    // A dead letter must go out whatever its message was called.
    let id = format!("dead:{}:{}", dead.message.consumer, dead.message.key)
        .replace(char::is_control, "?");
    let event = event(dead, trace_id.clone(), now);
    let entry = entry(&event, id.clone(), id, &dead.message.key, now).in_trace(&trace_id);
    outbox::enqueue(tx, &[entry]).await
}

fn event(dead: &DeadMessage, trace_id: String, now: OffsetDateTime) -> DeadLetter {
    // Text of Postgres holds no U+0000.
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

/// Of a W3C `traceparent` that came with it, else the one that its event carries.
fn trace_id(dead: &DeadMessage) -> String {
    let parent =
        dead.headers.get("traceparent").and_then(serde_json::Value::as_str).unwrap_or_default();
    let given = parent
        .split('-')
        .nth(1)
        .filter(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()));
    given.map_or_else(|| outbox::trace_id(&dead.message.key), str::to_ascii_lowercase)
}

impl Store {
    /// Writes a dead letter once, its event for `MOVIES_DEAD`, its inbox row and its effect, in one
    /// transaction.
    pub(crate) async fn write_dead_letter(
        &self,
        dead: &DeadMessage,
        effect: &Effect,
    ) -> Result<(), StoreError> {
        within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            if !ledger::claim_one(&mut tx, &dead.message).await? {
                return Ok(());
            }
            let now = sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(&mut *tx).await?;
            write(&mut tx, dead, now).await?;
            take_effect(&mut tx, dead, effect, now).await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }
}

async fn take_effect(
    tx: &mut PgConnection,
    dead: &DeadMessage,
    effect: &Effect,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    match effect {
        Effect::None => Ok(()),
        Effect::Item { run, movie } => {
            let failed = Settled {
                run_id: run.to_string(),
                tmdb_id: movie.get(),
                state: "failed",
                title: None,
                error: Some(dead.error.clone()),
            };
            runs::settle(tx, &[failed], now).await
        }
        Effect::Refresh { run, movie } => {
            crate::queue::fail(tx, (*movie, run.as_deref()), &dead.error, now).await
        }
        Effect::Run { run } => {
            sqlx::query!(
                "update job_run set error = $2 where run_id = $1 and ended_at is null",
                run.as_str(),
                dead.error
            )
            .execute(&mut *tx)
            .await?;
            runs::close(tx, run, now).await
        }
    }
}
