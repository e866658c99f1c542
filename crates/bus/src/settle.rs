//! From fate to ack kind: the one place that decides what the broker is told.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{AckKind, message::Acker};
use runtime::{Classify, Fate, Ledger, Letter, Standing, backoff, chain};
use tracing::{error, info, warn};

use crate::{Delivery, Handler, Outcome};

/// Tries that may die with the process before the message counts as poison.
const MAX_CRASHES: i32 = 5;
/// Sent while work goes on; well under every consumer's `ack_wait`.
const PROGRESS_EVERY: Duration = Duration::from_millis(2_500);
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
}

impl<H, L: Clone> Clone for Worker<H, L> {
    fn clone(&self) -> Self {
        Self { handler: Arc::clone(&self.handler), ledger: self.ledger.clone() }
    }
}

impl<H: Handler, L: Ledger> Worker<H, L> {
    /// Works one message off and settles it. Never panics, never leaves it unsettled but by a crash.
    pub(crate) async fn run(self, job: Job, standing: Standing) -> Pace {
        if standing.handled {
            settle(&job.acker, AckKind::Ack).await;
            return Pace::Normal;
        }
        if standing.crashed >= MAX_CRASHES {
            let text = format!("the process died {} times while this message was worked on", standing.crashed);
            return self.bury(&job, &standing, (None, "poison", text)).await;
        }
        let event = match decode::<H::Event>(&job.payload) {
            Ok(event) => event,
            Err(text) => return self.bury(&job, &standing, (None, "invalid-payload", text)).await,
        };
        match self.attempt(event.clone(), &job).await {
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
    async fn attempt(&self, event: H::Event, job: &Job) -> Result<Outcome, (Fate, String)> {
        let (handler, delivery) = (Arc::clone(&self.handler), job.delivery.clone());
        let mut work = tokio::spawn(async move { handler.handle(event, &delivery).await.map_err(|e| (e.fate(), chain(&e))) });
        loop {
            match tokio::time::timeout(PROGRESS_EVERY, &mut work).await {
                Ok(Ok(result)) => return result,
                Ok(Err(joined)) => return Err((Fate::Retry { after: None }, format!("the handler panicked: {joined}"))),
                Err(_) => settle(&job.acker, AckKind::Progress).await,
            }
        }
    }

    async fn failed(&self, event: H::Event, job: &Job, standing: &Standing, (fate, text): (Fate, String)) -> Pace {
        let text: String = text.chars().take(ERROR_MAX_CHARS).collect();
        match fate {
            Fate::Reject(reason) => self.bury(job, standing, (Some(event), reason, text)).await,
            Fate::Missing => self.bury(job, standing, (Some(event), "not-found", text)).await,
            Fate::Wait { after } => {
                info!(consumer = H::DURABLE, message.key = %job.delivery.key, error = %text, after_ms = after.as_millis(), "waits");
                self.noted(self.ledger.released(H::DURABLE, &job.delivery.key).await);
                settle(&job.acker, AckKind::Nak(Some(after))).await;
                Pace::Pause(after)
            }
            Fate::Retry { .. } if standing.failed >= runtime::fate::MAX_RETRIES => {
                self.bury(job, standing, (Some(event), "retries-exhausted", text)).await
            }
            Fate::Retry { after } => {
                let retry = u32::try_from(standing.failed + 1).unwrap_or(1);
                let delay = after.unwrap_or_else(|| backoff(retry, entropy(&job.delivery.key, retry)));
                warn!(consumer = H::DURABLE, message.key = %job.delivery.key, error = %text, retry, delay_ms = delay.as_millis(), "will retry");
                self.noted(self.ledger.failed(H::DURABLE, &job.delivery.key, &text).await);
                settle(&job.acker, AckKind::Nak(Some(delay))).await;
                Pace::Normal
            }
        }
    }

    /// Dead letter first, committed; then the broker is told. When the database does not answer, the message comes again.
    async fn bury(
        &self,
        job: &Job,
        standing: &Standing,
        (event, reason, text): (Option<H::Event>, &'static str, String),
    ) -> Pace {
        error!(consumer = H::DURABLE, message.key = %job.delivery.key, reason, error = %text, "dead letter");
        let letter = Letter {
            consumer: H::DURABLE,
            message_key: job.delivery.key.clone(),
            subject: job.delivery.subject.clone(),
            reason: reason.to_owned(),
            error: text,
            tries: standing.failed + 1,
            payload: job.payload.to_vec(),
            headers: job.headers.clone(),
            first_at: standing.first_at,
        };
        match self.handler.bury(event, letter).await {
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

    fn noted(&self, result: Result<(), runtime::LedgerError>) {
        if let Err(e) = result {
            // The try was noted as begun; uncounted, it only makes the message look more tried than it was.
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
    let text = std::str::from_utf8(payload).map_err(|_| "the payload is no UTF-8 text; send a JSON object".to_owned())?;
    match text.trim_start().chars().next() {
        Some('{') => {}
        Some(_) | None => return Err(format!("the payload is no JSON object but {}; send a JSON object", found(text))),
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let event = serde_path_to_error::deserialize(&mut json).map_err(|e| match e.path().to_string().as_str() {
        "." => format!("the payload does not fit: {}", e.inner()),
        field => format!("field '{field}' does not fit: {}", e.inner()),
    })?;
    json.end().map_err(|e| format!("the payload has text after its JSON object: {e}"))?;
    Ok(event)
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
