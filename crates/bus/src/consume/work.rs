//! Works on one message and settles it: handler, verdict, settlement.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::HeaderMap;
use delivery::{
    ALONE_MAX, Attempts, DeadMessage, Delivery, Effect, Fate, Ledger, LedgerError,
    MAX_CRASHES_ALONE, MessageRef, Others, Outcome, SUSPECT_AFTER, Verdict, verdict,
};
use proto::Reason;
use runtime::fault_injection;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, error_span, info, warn};

use super::{
    handler::{AnyHandler, Failure, Work},
    settle::{Receipt, Settlement},
};
use crate::message_key::{clean, headers};

/// Work in flight shares it, a suspect has it for itself: when the process dies then, no other
/// message is to blame.
static ALONE: RwLock<()> = RwLock::const_new(());
/// Sent while work goes on; well under every consumer's `ack_wait`.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// What a message says that it is (CloudEvents).
const CE_TYPE: &str = "ce-type";
/// Longest error text that is kept.
const ERROR_MAX_CHARS: usize = 2_000;

/// A message in flight.
pub(super) struct InFlight {
    pub(super) delivery: Delivery,
    pub(super) payload: bytes::Bytes,
    pub(super) headers: HeaderMap,
    pub(super) receipt: Box<dyn Receipt>,
}

/// A message that never comes to a handler.
pub(super) struct Unhandled {
    pub(super) message: MessageRef,
    pub(super) subject: String,
    pub(super) payload: Vec<u8>,
    pub(super) headers: serde_json::Value,
    pub(super) reason: Reason,
    /// Why, for people.
    pub(super) error: String,
}

/// What the pull loop learns from a settled message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Go on.
    Normal,
    /// Upstream or database is unwell: stop pulling for this long.
    Pause(Duration),
}

/// Handler and ledger, shared by all messages of a consumer.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) handler: Arc<dyn AnyHandler>,
    pub(super) ledger: Arc<dyn Ledger>,
    /// Messages given back by a drain, of the whole process.
    pub(super) handed_back: Arc<AtomicU64>,
    pub(super) drain: CancellationToken,
    /// Messages that waited since the last one was worked on well.
    pub(super) waiting_in_a_row: Arc<AtomicU32>,
}

impl Worker {
    pub(super) fn durable(&self) -> &'static str {
        self.handler.durable()
    }

    /// Works on one message and settles it. Does not panic, and leaves it unsettled only by a
    /// crash.
    pub(super) async fn run(&self, message: InFlight, attempts: Attempts) -> Pace {
        // Of the highest level: it names the message in every line that is logged about it.
        let span = error_span!(
            "message",
            consumer = self.durable(),
            message.key = %message.delivery.message.key,
            attempt = attempts.failed + 1,
        );
        self.work(message, attempts).instrument(span).await
    }

    async fn work(&self, message: InFlight, attempts: Attempts) -> Pace {
        if attempts.handled {
            message.receipt.settle(Settlement::Ack).await;
            return Pace::Normal;
        }
        let ce_type = message.headers.get(CE_TYPE).map(async_nats::HeaderValue::as_str);
        let work = match self.handler.read(ce_type, &message.payload) {
            Ok(work) => work,
            Err(error) => {
                let dead = dead(&message, &attempts, Reason::InvalidPayload, error);
                return self.dead_letter(&message, dead, Effect::None).await;
            }
        };
        if fault_injection::without("ack-after-commit") {
            message.receipt.settle(Settlement::Ack).await;
        }
        match self.attempt(&*work, &message, attempts.crashed >= SUSPECT_AFTER).await {
            Ok(outcome) => {
                self.waiting_in_a_row.store(0, Ordering::Relaxed);
                if let Outcome::Skipped(why) = outcome {
                    info!(why, "the message asked for nothing that was left to do");
                }
                message.receipt.settle(Settlement::Ack).await;
                Pace::Normal
            }
            Err(failure) => self.failed(&*work, &message, &attempts, failure).await,
        }
    }

    /// Runs the handler in a task of its own, so that a panic ends the task and nothing else.
    async fn attempt(
        &self,
        work: &dyn Work,
        message: &InFlight,
        suspect: bool,
    ) -> Result<Outcome, Failure> {
        let attempt = work.attempt(message.delivery.clone());
        let (ledger, of) = (Arc::clone(&self.ledger), message.delivery.message.clone());
        let task = async move {
            fault_injection::panic_now_and_then();
            if !suspect {
                let _shared = ALONE.read().await;
                fault_injection::abort_at(&of.key);
                return attempt.await;
            }
            let _alone = ALONE.write().await;
            may_run_alone(&*ledger, &of).await?;
            fault_injection::abort_at(&of.key);
            attempt.await
        };
        let mut task = tokio::spawn(task.in_current_span());
        loop {
            match tokio::time::timeout(PROGRESS_EVERY, &mut task).await {
                Ok(Ok(result)) => return result,
                Ok(Err(joined)) => {
                    return Err(Failure {
                        fate: Fate::Retry { after: None },
                        error: format!("the handler panicked: {joined}"),
                    });
                }
                Err(_) => message.receipt.settle(Settlement::InProgress).await,
            }
        }
    }

    async fn failed(
        &self,
        work: &dyn Work,
        message: &InFlight,
        attempts: &Attempts,
        failure: Failure,
    ) -> Pace {
        let of = &message.delivery.message;
        let error: String = clean(&failure.error).chars().take(ERROR_MAX_CHARS).collect();
        match verdict(failure.fate, attempts, entropy(&of.key, attempts.failed)) {
            Verdict::DeadLetter(reason) => {
                let dead = dead(message, attempts, reason, error);
                self.dead_letter(message, dead, work.effect(&of.key)).await
            }
            Verdict::Wait { after, others } => {
                info!(error, after_ms = after.as_millis(), "the message waits; it is not at fault");
                warn_if_unrecorded(self.ledger.released(of, &error).await);
                if self.drain.is_cancelled() {
                    self.handed_back.fetch_add(1, Ordering::Relaxed);
                }
                message.receipt.settle(Settlement::Nak(after)).await;
                let waiting = self.waiting_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
                match others {
                    Others::GoOn if waiting < ALONE_MAX => Pace::Normal,
                    Others::GoOn | Others::WaitToo => Pace::Pause(after),
                }
            }
            Verdict::Retry { retry, after } => {
                let delay_ms = after.as_millis();
                warn!(error, retry, delay_ms, "the attempt failed; the message will be retried");
                warn_if_unrecorded(self.ledger.failed(of, &error).await);
                message.receipt.settle(Settlement::Nak(after)).await;
                Pace::Normal
            }
        }
    }

    /// Dead letter first, committed; then the message is settled. When the database does not
    /// answer, the message comes again.
    async fn dead_letter(&self, message: &InFlight, dead: DeadMessage, effect: Effect) -> Pace {
        match self.record(&dead, &effect).await {
            Ok(()) => {
                message.receipt.settle(Settlement::Term).await;
                Pace::Normal
            }
            Err(e) => {
                let pause = self.ledger.pause();
                warn!(error = %e, "the dead letter could not be written; the message comes again");
                message.receipt.settle(Settlement::Nak(pause)).await;
                Pace::Pause(pause)
            }
        }
    }

    async fn record(&self, dead: &DeadMessage, effect: &Effect) -> Result<(), LedgerError> {
        error!(
            consumer = dead.message.consumer,
            message.key = %dead.message.key,
            reason = %dead.reason,
            error = %dead.error,
            "the message becomes a dead letter"
        );
        self.ledger.dead_letter(dead, effect).await
    }

    /// Makes a dead letter of a message that never comes to a handler, once.
    pub(super) async fn give_up(&self, unhandled: Unhandled) -> Result<(), LedgerError> {
        let key = std::slice::from_ref(&unhandled.message.key);
        let begun = self.ledger.begin(self.durable(), key).await?;
        let Some(attempts) = begun.into_iter().next().filter(|a| !a.handled) else {
            return Ok(());
        };
        let ce_type = unhandled.headers.get(CE_TYPE).and_then(serde_json::Value::as_str);
        let work = self.handler.read(ce_type, &unhandled.payload).ok();
        let effect = work.map_or(Effect::None, |work| work.effect(&unhandled.message.key));
        let dead = DeadMessage {
            message: unhandled.message,
            subject: unhandled.subject,
            reason: unhandled.reason,
            error: unhandled.error,
            attempts: attempts.failed + 1,
            payload: unhandled.payload,
            headers: unhandled.headers,
            first_at: attempts.first_at,
        };
        self.record(&dead, &effect).await
    }
}

/// Whether a suspect, which has the process for itself now, may run once more.
async fn may_run_alone(ledger: &dyn Ledger, message: &MessageRef) -> Result<(), Failure> {
    let crashed = ledger.alone(message).await.map_err(|e| Failure {
        fate: Fate::Wait { after: ledger.pause() },
        error: e.to_string(),
    })?;
    if crashed < MAX_CRASHES_ALONE {
        return Ok(());
    }
    Err(Failure {
        fate: Fate::Reject(Reason::Poison),
        error: format!("the process died {crashed} times while it worked on this message alone"),
    })
}

fn dead(message: &InFlight, attempts: &Attempts, reason: Reason, error: String) -> DeadMessage {
    DeadMessage {
        message: message.delivery.message.clone(),
        subject: message.delivery.subject.clone(),
        reason,
        error: clean(&error),
        attempts: attempts.failed + 1,
        payload: message.payload.to_vec(),
        headers: headers(Some(&message.headers)).into(),
        first_at: attempts.first_at,
    }
}

/// The attempt is recorded as begun; unrecorded as ended, it only makes the message look more
/// attempted than it was.
fn warn_if_unrecorded(result: Result<(), LedgerError>) {
    if let Err(e) = result {
        warn!(error = %e, "the end of the attempt could not be recorded");
    }
}

/// A number that differs between messages and attempts, for jitter.
fn entropy(key: &str, failed: i32) -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write(key.as_bytes());
    hasher.write_i32(failed);
    hasher.finish()
}
