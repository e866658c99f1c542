//! Dead letters, written together with what they mean for a run, a movie or the queue.

use delivery::Letter;
use proto::{DeadLetter, RunId, TmdbId};
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

/// What a dead letter means beyond itself.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Nothing.
    None,
    /// An item of a run failed.
    Item {
        /// The run.
        run_id: RunId,
        /// The movie.
        tmdb_id: TmdbId,
    },
    /// A movie could not be refreshed: its queue row fails, scans leave it alone for a while.
    Refresh {
        /// The run, if any.
        run_id: Option<RunId>,
        /// The movie.
        tmdb_id: TmdbId,
    },
    /// A whole run failed before it had items.
    Run {
        /// The run.
        run_id: RunId,
    },
}

/// The row and its event, once, in the caller's transaction.
pub(crate) async fn write(
    tx: &mut PgConnection,
    letter: &Letter,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let trace_id = trace_id(letter);
    let written = sqlx::query!(
        "insert into dead_letter (consumer, message_key, subject, reason, error, tries, payload, headers, first_at, died_at, trace_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing",
        letter.consumer,
        letter.message_key,
        letter.subject,
        letter.reason.as_str(),
        letter.error,
        letter.tries,
        letter.payload,
        letter.headers,
        letter.first_at,
        now,
        trace_id
    )
    .execute(&mut *tx)
    .await?;
    if written.rows_affected() == 0 {
        return Ok(());
    }
    // A letter must go out whatever its message was called.
    let id =
        format!("dead:{}:{}", letter.consumer, letter.message_key).replace(char::is_control, "?");
    let event = event(letter, trace_id.clone(), now);
    let entry = entry(&event, id.clone(), id, &letter.message_key, now).in_trace(&trace_id);
    outbox::enqueue(tx, &[entry]).await
}

fn event(letter: &Letter, trace_id: String, now: OffsetDateTime) -> DeadLetter {
    // Text of Postgres holds no U+0000.
    let payload = String::from_utf8_lossy(&letter.payload).replace('\0', "\u{fffd}");
    let headers = letter
        .headers
        .as_object()
        .filter(|_| letter.headers.to_string().len() <= HEADERS_MAX_BYTES);
    let headers = headers
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    DeadLetter {
        consumer: letter.consumer.to_owned(),
        message_key: letter.message_key.clone(),
        subject: letter.subject.clone(),
        reason: letter.reason.to_string(),
        error: letter.error.clone(),
        tries: letter.tries,
        payload: payload.chars().take(PAYLOAD_MAX_CHARS).collect(),
        died_at: now,
        first_at: Some(letter.first_at),
        trace_id: Some(trace_id),
        headers: headers.collect(),
    }
}

/// Of a W3C `traceparent` that came with it, else the one that its event carries.
fn trace_id(letter: &Letter) -> String {
    let parent =
        letter.headers.get("traceparent").and_then(serde_json::Value::as_str).unwrap_or_default();
    let given = parent
        .split('-')
        .nth(1)
        .filter(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()));
    given.map_or_else(|| outbox::trace_id(&letter.message_key), str::to_ascii_lowercase)
}

impl Store {
    /// Writes a dead letter once, its event for `MOVIES_DEAD`, its inbox row and its effect, in one
    /// transaction.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn bury(
        &self,
        letter: &Letter,
        effect: &Effect,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            if !ledger::claim_one(&mut tx, letter.consumer, &letter.message_key).await? {
                return Ok(());
            }
            write(&mut tx, letter, now).await?;
            self.take_effect(&mut tx, letter, effect, now).await?;
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    async fn take_effect(
        &self,
        tx: &mut PgConnection,
        letter: &Letter,
        effect: &Effect,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let failed = |run_id: &str, tmdb_id: &TmdbId| Settled {
            run_id: run_id.to_owned(),
            tmdb_id: tmdb_id.get(),
            state: "failed",
            title: None,
            error: Some(letter.error.clone()),
        };
        match effect {
            Effect::None => Ok(()),
            Effect::Item { run_id, tmdb_id } => {
                runs::settle(tx, &[failed(run_id, tmdb_id)], now).await
            }
            Effect::Refresh { run_id, tmdb_id } => {
                crate::queue::fail(tx, (*tmdb_id, run_id.as_deref()), &letter.error, now).await
            }
            Effect::Run { run_id } => {
                sqlx::query!(
                    "update job_run set error = $2 where run_id = $1 and ended_at is null",
                    run_id.as_str(),
                    letter.error
                )
                .execute(&mut *tx)
                .await?;
                runs::close(tx, run_id, now).await
            }
        }
    }
}
