//! From fate to ack kind: the one place that decides what the broker is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::jetstream::{AckKind, message::Acker};
use runtime::{
    Classify, Fate, Ledger, LedgerError, Letter, Standing, backoff, chain, fault_injection,
};
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{Delivery, Handler, Outcome, key::clean};

/// Tries that died with the process after which a message is a suspect: it then runs alone.
const SUSPECT_AFTER: i32 = 2;
/// Tries that may die with the process while the message ran alone, before it counts as poison.
const MAX_CRASHES_ALONE: i32 = 3;
/// Work in hand shares it, a suspect has it for itself: when the process dies then, no other
/// message is to blame.
static ALONE: RwLock<()> = RwLock::const_new(());
/// Sent while work goes on; well under every consumer's `ack_wait`.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// Longest error text that is kept.
const ERROR_MAX_CHARS: usize = 2_000;

/// One message on its way through.
pub(crate) struct Job {
    pub(crate) delivery: Delivery,
    pub(crate) payload: bytes::Bytes,
    pub(crate) headers: serde_json::Value,
    pub(crate) acker: Acker,
}

/// What the pull loop learns from a settled message.
pub(crate) enum Pace {
    /// Go on.
    Normal,
    /// Upstream or database is down: stop pulling for a while.
    Pause(Duration),
}

/// Handler and ledger, shared by all messages of a consumer.
pub(crate) struct Worker<H, L> {
    pub(crate) handler: Arc<H>,
    pub(crate) ledger: L,
    /// Messages given back by a drain, of the whole process.
    pub(crate) handed_back: Arc<AtomicU64>,
    pub(crate) drain: CancellationToken,
}

impl<H, L: Clone> Clone for Worker<H, L> {
    fn clone(&self) -> Self {
        Self {
            handler: Arc::clone(&self.handler),
            ledger: self.ledger.clone(),
            handed_back: Arc::clone(&self.handed_back),
            drain: self.drain.clone(),
        }
    }
}

impl<H: Handler, L: Ledger> Worker<H, L> {
    /// Works one message off and settles it. Never panics, never leaves it unsettled but by a
    /// crash.
    pub(crate) async fn run(self, job: Job, standing: Standing) -> Pace {
        if standing.handled {
            settle(&job.acker, AckKind::Ack).await;
            return Pace::Normal;
        }
        let event = match decode::<H::Event>(&job.payload) {
            Ok(event) => event,
            Err(text) => return self.bury(&job, &standing, (None, "invalid-payload", text)).await,
        };
        if fault_injection::without("ack-after-commit") {
            settle(&job.acker, AckKind::Ack).await;
        }
        match self.attempt(event.clone(), &job, standing.crashed >= SUSPECT_AFTER).await {
            Ok(outcome) => {
                if let Outcome::Skipped(why) = outcome {
                    info!(consumer = H::DURABLE, message.key = %job.delivery.key, why, "skipped");
                }
                settle(&job.acker, AckKind::Ack).await;
                Pace::Normal
            }
            Err((fate, text)) => self.failed(event, &job, &standing, (fate, text)).await,
        }
    }

    /// Runs the handler in a task of its own, so that a panic ends the task and nothing else.
    async fn attempt(
        &self,
        event: H::Event,
        job: &Job,
        suspect: bool,
    ) -> Result<Outcome, (Fate, String)> {
        let (handler, ledger, delivery) =
            (Arc::clone(&self.handler), self.ledger.clone(), job.delivery.clone());
        let mut work = tokio::spawn(async move {
            let done =
                |result: Result<Outcome, H::Error>| result.map_err(|e| (e.fate(), chain(&e)));
            fault_injection::panic_now_and_then();
            let deadly = || fault_injection::abort_at(&delivery.key);
            if !suspect {
                let _shared = ALONE.read().await;
                deadly();
                return done(handler.handle(event, &delivery).await);
            }
            let _alone = ALONE.write().await;
            let crashed = ledger.alone(H::DURABLE, &delivery.key).await;
            let crashed =
                crashed.map_err(|e| (Fate::Wait { after: ledger.pause() }, e.to_string()))?;
            if crashed >= MAX_CRASHES_ALONE {
                return Err((
                    Fate::Reject("poison"),
                    format!(
                        "the process died {crashed} times while it worked on this message alone"
                    ),
                ));
            }
            deadly();
            done(handler.handle(event, &delivery).await)
        });
        loop {
            match tokio::time::timeout(PROGRESS_EVERY, &mut work).await {
                Ok(Ok(result)) => return result,
                Ok(Err(joined)) => {
                    return Err((
                        Fate::Retry { after: None },
                        format!("the handler panicked: {joined}"),
                    ));
                }
                Err(_) => settle(&job.acker, AckKind::Progress).await,
            }
        }
    }

    async fn failed(
        &self,
        event: H::Event,
        job: &Job,
        standing: &Standing,
        (fate, text): (Fate, String),
    ) -> Pace {
        let text: String = clean(&text).chars().take(ERROR_MAX_CHARS).collect();
        match fate {
            Fate::Reject(reason) => self.bury(job, standing, (Some(event), reason, text)).await,
            Fate::Missing => self.bury(job, standing, (Some(event), "not-found", text)).await,
            Fate::Wait { after } => {
                info!(consumer = H::DURABLE, message.key = %job.delivery.key, error = %text, after_ms = after.as_millis(), "waits");
                self.noted(self.ledger.released(H::DURABLE, &job.delivery.key).await);
                if self.drain.is_cancelled() {
                    self.handed_back.fetch_add(1, Ordering::Relaxed);
                }
                settle(&job.acker, AckKind::Nak(Some(after))).await;
                Pace::Pause(after)
            }
            Fate::Retry { .. } if standing.failed >= runtime::fate::MAX_RETRIES => {
                self.bury(job, standing, (Some(event), "retries-exhausted", text)).await
            }
            Fate::Retry { after } => {
                let retry = u32::try_from(standing.failed + 1).unwrap_or(1);
                let delay =
                    after.unwrap_or_else(|| backoff(retry, entropy(&job.delivery.key, retry)));
                warn!(consumer = H::DURABLE, message.key = %job.delivery.key, error = %text, retry, delay_ms = delay.as_millis(), "will retry");
                self.noted(self.ledger.failed(H::DURABLE, &job.delivery.key, &text).await);
                settle(&job.acker, AckKind::Nak(Some(delay))).await;
                Pace::Normal
            }
        }
    }

    /// Dead letter first, committed; then the broker is told. When the database does not answer,
    /// the message comes again.
    async fn bury(
        &self,
        job: &Job,
        standing: &Standing,
        (event, reason, text): (Option<H::Event>, &'static str, String),
    ) -> Pace {
        let letter = Letter {
            consumer: H::DURABLE,
            message_key: job.delivery.key.clone(),
            subject: job.delivery.subject.clone(),
            reason: reason.to_owned(),
            error: clean(&text),
            tries: standing.failed + 1,
            payload: job.payload.to_vec(),
            headers: job.headers.clone(),
            first_at: standing.first_at,
        };
        match self.write_letter(event, letter).await {
            Ok(()) => {
                settle(&job.acker, AckKind::Term).await;
                Pace::Normal
            }
            Err(e) => {
                warn!(consumer = H::DURABLE, error = %e, "the dead letter could not be written");
                settle(&job.acker, AckKind::Nak(Some(self.ledger.pause()))).await;
                Pace::Pause(self.ledger.pause())
            }
        }
    }

    async fn write_letter(
        &self,
        event: Option<H::Event>,
        letter: Letter,
    ) -> Result<(), LedgerError> {
        error!(consumer = H::DURABLE, message.key = %letter.message_key, reason = letter.reason, error = %letter.error, "dead letter");
        self.handler.bury(event, letter).await
    }

    /// A message that never comes to a handler; its key and subject, its payload and headers.
    pub(crate) async fn bury_unread(
        &self,
        ((message_key, subject), (payload, headers)): (
            (String, String),
            (bytes::Bytes, serde_json::Map<String, serde_json::Value>),
        ),
        (reason, error): (&'static str, String),
    ) -> Result<(), LedgerError> {
        let standing = self
            .ledger
            .begin(H::DURABLE, std::slice::from_ref(&message_key))
            .await?
            .into_iter()
            .next();
        let Some(standing) = standing.filter(|s| !s.handled) else { return Ok(()) };
        let letter = Letter {
            consumer: H::DURABLE,
            message_key,
            subject,
            reason: reason.to_owned(),
            error,
            tries: standing.failed + 1,
            payload: payload.to_vec(),
            headers: headers.into(),
            first_at: standing.first_at,
        };
        self.write_letter(decode::<H::Event>(&payload).ok(), letter).await
    }

    fn noted(&self, result: Result<(), LedgerError>) {
        if let Err(e) = result {
            // The try was noted as begun; uncounted, it only makes the message look more tried than
            // it was.
            warn!(consumer = H::DURABLE, error = %e, "the try could not be counted");
        }
    }
}

/// Tells the broker. A lost answer is harmless: the message comes again and meets its inbox row.
#[expect(clippy::disallowed_methods, reason = "this is the one place that settles messages")]
pub(crate) async fn settle(acker: &Acker, kind: AckKind) {
    if let Err(e) = acker.ack_with(kind).await {
        warn!(error = %e, "the broker could not be told; the message will come again");
    }
}

fn decode<E: proto::Event>(payload: &[u8]) -> Result<E, String> {
    let text = std::str::from_utf8(payload)
        .map_err(|_| "the payload is no UTF-8 text; send a JSON object".to_owned())?;
    match text.trim_start().chars().next() {
        Some('{') => {}
        Some(_) | None => {
            return Err(format!(
                "the payload is no JSON object but {}; send a JSON object",
                found(text)
            ));
        }
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let event = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        match e.path().to_string().as_str() {
            "." => format!("the payload does not fit: {}", e.inner()),
            field => format!("field '{field}' does not fit: {}", e.inner()),
        }
    })?;
    if text.contains("\\u0000") && holds_nul(&serde_json::from_str(text).unwrap_or_default()) {
        return Err(
            "the payload holds the character U+0000, which no table can hold; leave it out"
                .to_owned(),
        );
    }
    json.end().map_err(|e| format!("the payload has text after its JSON object: {e}"))?;
    Ok(event)
}

fn holds_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(list) => list.iter().any(holds_nul),
        serde_json::Value::Object(map) => {
            map.iter().any(|(key, value)| key.contains('\0') || holds_nul(value))
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
            false
        }
    }
}

fn found(text: &str) -> &'static str {
    match text.trim_start().chars().next() {
        None => "empty",
        Some('[') => "an array",
        Some('"') => "a string",
        Some(_) => "something else",
    }
}

/// A number that differs between messages and tries, for jitter.
fn entropy(key: &str, retry: u32) -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write(key.as_bytes());
    hasher.write_u32(retry);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proto::{IngestList, IngestMovie};

    use super::*;

    #[test]
    fn errors_name_the_field() {
        for (payload, expected) in [
            ("hello", "no JSON object"),
            ("[1]", "an array"),
            ("", "empty"),
            (r#"{"tmdb_id": "603"}"#, "tmdb_id"),
            (r#"{"tmdb_id": -1}"#, "1 to 2147483647"),
            ("{}", "missing field `tmdb_id`"),
            (r#"{"tmdb_id": 1, "run_id": "a\u0000b"}"#, "control character"),
            (r#"{"tmdb_id": 1, "more": "a\u0000b"}"#, "U+0000"),
            (r#"{"tmdb_id": 1, "run_id": ""}"#, "run_id"),
            (r#"{"tmdb_id": 1} {}"#, "after its JSON object"),
        ] {
            let error = decode::<IngestMovie>(payload.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{payload}: {error}");
        }
        let error = decode::<IngestList>(br#"{"source": "best", "max_movies": 1}"#).unwrap_err();
        assert!(error.contains("source") && error.contains("mixed_daily"), "{error}");
        let error = decode::<IngestList>(br#"{"source": "popular", "max_movies": 0}"#).unwrap_err();
        assert!(error.contains("max_movies") && error.contains("1 to 10000"), "{error}");
    }
}
