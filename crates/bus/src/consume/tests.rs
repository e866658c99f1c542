//! A consumer without a server: what the ledger and the broker are told, in which order, for every
//! way in which work can end.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use delivery::{
    Answer, Attempts, Classify, DeadMessage, Delivery, Effect, Fate, Handler, Ledger, LedgerError,
    MessageRef, Outcome,
};
use proto::{IngestMovie, MessageKey, Reason, TmdbId};
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    handler::Typed,
    settle::{Receipt, Settlement},
    work::{InFlight, Pace, Unhandled, Worker},
};

/// What was told to whom, in its order.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Handled(i64),
    Failed(String),
    Released,
    Alone,
    Dead { reason: Reason, attempts: i32, effect: Effect },
    Broker(Settlement),
}

/// One protocol for ledger, handler and broker.
#[derive(Clone, Default)]
struct Protocol(Arc<Mutex<Vec<Said>>>);

impl Protocol {
    fn says(&self, said: Said) {
        self.0.lock().unwrap().push(said);
    }

    fn said(&self) -> Vec<Said> {
        self.0.lock().unwrap().clone()
    }
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("on purpose")]
struct OnPurpose(Fate);

impl Classify for OnPurpose {
    fn fate(&self) -> Fate {
        self.0
    }
}

/// How the fake handler's next attempt ends.
enum End {
    Done,
    Skipped,
    Fails(Fate),
    Panics,
    /// When it is notified.
    Waits(Arc<Notify>),
}

struct FakeHandler {
    protocol: Protocol,
    ends: Mutex<VecDeque<End>>,
}

impl Handler for FakeHandler {
    type Event = IngestMovie;
    type Error = OnPurpose;

    fn durable(&self) -> &'static str {
        "ingest-movie"
    }

    async fn handle(&self, event: IngestMovie, _: &Delivery) -> Result<Outcome, OnPurpose> {
        self.protocol.says(Said::Handled(event.tmdb_id.get()));
        let end = self.ends.lock().unwrap().pop_front();
        match end.expect("an attempt that the test does not expect") {
            End::Done => Ok(Outcome::Done),
            End::Skipped => Ok(Outcome::Skipped("on purpose")),
            End::Fails(fate) => Err(OnPurpose(fate)),
            End::Panics => panic!("on purpose"),
            End::Waits(until) => {
                until.notified().await;
                Ok(Outcome::Done)
            }
        }
    }

    fn effect(&self, event: &IngestMovie, _: &MessageKey) -> Effect {
        Effect::Refresh { run: None, movie: event.tmdb_id }
    }
}

#[derive(Clone, Default)]
struct FakeLedger {
    protocol: Protocol,
    /// Times that the process died while the message ran alone.
    crashed_alone: i32,
    away: bool,
    handled: bool,
}

impl FakeLedger {
    fn answer<T: Send + 'static>(&self, said: Option<Said>, value: T) -> Answer<'static, T> {
        if self.away {
            return Box::pin(async { Err(LedgerError("the database is away".to_owned())) });
        }
        said.into_iter().for_each(|said| self.protocol.says(said));
        Box::pin(async move { Ok(value) })
    }
}

impl Ledger for FakeLedger {
    fn begin<'a>(&'a self, _: &'static str, keys: &'a [MessageKey]) -> Answer<'a, Vec<Attempts>> {
        let begun = keys.iter().map(|_| Attempts { handled: self.handled, ..attempts(0) });
        self.answer(None, begun.collect())
    }

    fn failed<'a>(&'a self, _: &'a MessageRef, error: &'a str) -> Answer<'a, ()> {
        self.answer(Some(Said::Failed(error.to_owned())), ())
    }

    fn released<'a>(&'a self, _: &'a MessageRef, _: &'a str) -> Answer<'a, ()> {
        self.answer(Some(Said::Released), ())
    }

    fn alone<'a>(&'a self, _: &'a MessageRef) -> Answer<'a, i32> {
        self.answer(Some(Said::Alone), self.crashed_alone)
    }

    fn dead_letter<'a>(&'a self, dead: &'a DeadMessage, effect: &'a Effect) -> Answer<'a, ()> {
        let said =
            Said::Dead { reason: dead.reason, attempts: dead.attempts, effect: effect.clone() };
        self.answer(Some(said), ())
    }
}

struct FakeReceipt {
    protocol: Protocol,
    in_progress: Arc<Notify>,
}

impl Receipt for FakeReceipt {
    fn settle(&self, settlement: Settlement) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.protocol.says(Said::Broker(settlement));
        if settlement == Settlement::InProgress {
            self.in_progress.notify_one();
        }
        Box::pin(async {})
    }
}

fn attempts(failed: i32) -> Attempts {
    Attempts { handled: false, failed, crashed: 0, first_at: OffsetDateTime::UNIX_EPOCH }
}

/// A worker whose attempts end so.
struct Stage {
    protocol: Protocol,
    worker: Worker,
    in_progress: Arc<Notify>,
}

impl Stage {
    fn new(ends: impl IntoIterator<Item = End>) -> Self {
        Self::with(ends, FakeLedger::default())
    }

    fn with(ends: impl IntoIterator<Item = End>, ledger: FakeLedger) -> Self {
        let protocol = Protocol::default();
        let ends = Mutex::new(ends.into_iter().collect());
        let handler = FakeHandler { protocol: protocol.clone(), ends };
        let worker = Worker {
            waiting_in_a_row: Arc::default(),
            handler: Arc::new(Typed(Arc::new(handler))),
            ledger: Arc::new(FakeLedger { protocol: protocol.clone(), ..ledger }),
            handed_back: Arc::new(AtomicU64::new(0)),
            drain: CancellationToken::new(),
        };
        Self { protocol, worker, in_progress: Arc::default() }
    }

    async fn work(&self, payload: &str, attempts: Attempts) -> Pace {
        let delivery = Delivery {
            message: message(),
            subject: "movies.ingest.movie".to_owned(),
            failed_attempts: attempts.failed,
            trace: None,
        };
        let receipt = FakeReceipt {
            protocol: self.protocol.clone(),
            in_progress: Arc::clone(&self.in_progress),
        };
        let message = InFlight {
            delivery,
            payload: payload.to_owned().into(),
            headers: async_nats::HeaderMap::new(),
            receipt: Box::new(receipt),
        };
        self.worker.run(message, attempts).await
    }
}

fn message() -> MessageRef {
    MessageRef { consumer: "ingest-movie", key: MessageKey::new("order-1") }
}

const MATRIX: &str = r#"{"tmdb_id": 603}"#;
const HANDLED: Said = Said::Handled(603);
const ACK: Said = Said::Broker(Settlement::Ack);
const TERM: Said = Said::Broker(Settlement::Term);
const SECOND: Duration = Duration::from_secs(1);

fn dead(reason: Reason, attempts: i32) -> Said {
    let movie = TmdbId::try_from(603).unwrap();
    Said::Dead { reason, attempts, effect: Effect::Refresh { run: None, movie } }
}

#[tokio::test]
async fn work_that_ends_well_is_acked_after_it() {
    for end in [End::Done, End::Skipped] {
        let stage = Stage::new([end]);
        assert_eq!(stage.work(MATRIX, attempts(0)).await, Pace::Normal);
        assert_eq!(stage.protocol.said(), [HANDLED, ACK]);
    }
}

#[tokio::test]
async fn a_redelivery_of_committed_work_is_only_acked() {
    let stage = Stage::new([]);
    stage.work(MATRIX, Attempts { handled: true, ..attempts(0) }).await;
    assert_eq!(stage.protocol.said(), [ACK]);
}

#[tokio::test]
async fn a_failed_attempt_is_recorded_before_it_is_given_back() {
    let after = Some(SECOND);
    let stage = Stage::new([End::Fails(Fate::Retry { after })]);
    assert_eq!(stage.work(MATRIX, attempts(0)).await, Pace::Normal);
    let failed = Said::Failed("on purpose".to_owned());
    assert_eq!(stage.protocol.said(), [HANDLED, failed, Said::Broker(Settlement::Nak(SECOND))]);
}

#[tokio::test]
async fn a_panic_is_an_attempt_that_failed() {
    let stage = Stage::new([End::Panics]);
    assert_eq!(stage.work(MATRIX, attempts(0)).await, Pace::Normal);
    let said = stage.protocol.said();
    assert!(
        matches!(&said[..], [HANDLED, Said::Failed(e), Said::Broker(Settlement::Nak(_))]
            if e.contains("panicked")),
        "{said:?}"
    );
}

#[tokio::test]
async fn work_that_waits_burns_no_attempt_and_slows_the_pulls() {
    let wait = || End::Fails(Fate::Wait { after: SECOND });
    let stage = Stage::new([wait(), wait()]);
    let told = [HANDLED, Said::Released, Said::Broker(Settlement::Nak(SECOND))];
    assert_eq!(stage.work(MATRIX, attempts(99)).await, Pace::Pause(SECOND));
    assert_eq!(stage.protocol.said(), told);
    assert_eq!(stage.worker.handed_back.load(Ordering::Relaxed), 0);
    // Only while the service drains does it count as handed back.
    stage.worker.drain.cancel();
    stage.work(MATRIX, attempts(0)).await;
    assert_eq!(stage.worker.handed_back.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_dead_letter_is_written_before_the_broker_is_told() {
    let retry = Fate::Retry { after: None };
    for (fate, failed, reason) in [
        (Fate::Reject(Reason::NotInCatalogue), 0, Reason::NotInCatalogue),
        (Fate::Missing, 1, Reason::NotFound),
        (retry, 3, Reason::RetriesExhausted),
    ] {
        let stage = Stage::new([End::Fails(fate)]);
        assert_eq!(stage.work(MATRIX, attempts(failed)).await, Pace::Normal);
        assert_eq!(stage.protocol.said(), [HANDLED, dead(reason, failed + 1), TERM]);
    }
}

#[tokio::test]
async fn a_payload_that_does_not_decode_never_comes_to_the_handler() {
    for payload in ["hello", r#"{"tmdb_id": -1}"#] {
        let stage = Stage::new([]);
        assert_eq!(stage.work(payload, attempts(0)).await, Pace::Normal);
        let dead = Said::Dead { reason: Reason::InvalidPayload, attempts: 1, effect: Effect::None };
        assert_eq!(stage.protocol.said(), [dead, TERM]);
    }
}

#[tokio::test]
async fn without_the_database_no_message_is_given_up() {
    let away = FakeLedger { away: true, ..FakeLedger::default() };
    let stage = Stage::with([End::Fails(Fate::Missing)], away);
    assert_eq!(stage.work(MATRIX, attempts(0)).await, Pace::Pause(SECOND));
    assert_eq!(stage.protocol.said(), [HANDLED, Said::Broker(Settlement::Nak(SECOND))]);
}

#[tokio::test]
async fn a_suspect_runs_alone_and_is_poison_when_it_kills_the_process_again_and_again() {
    let suspect = Attempts { crashed: 2, ..attempts(0) };
    let innocent = Stage::new([End::Done]);
    innocent.work(MATRIX, suspect.clone()).await;
    // The work of other tests may keep it waiting for so long that it reports progress.
    let mut said = innocent.protocol.said();
    said.retain(|said| *said != Said::Broker(Settlement::InProgress));
    assert_eq!(said, [Said::Alone, HANDLED, ACK]);
    let ledger = FakeLedger { crashed_alone: 3, ..FakeLedger::default() };
    let guilty = Stage::with([], ledger);
    guilty.work(MATRIX, suspect).await;
    let mut said = guilty.protocol.said();
    said.retain(|said| *said != Said::Broker(Settlement::InProgress));
    assert_eq!(said, [Said::Alone, dead(Reason::Poison, 1), TERM]);
}

#[tokio::test]
async fn long_work_keeps_its_ack_wait_alive() {
    let until = Arc::new(Notify::new());
    let stage = Stage::new([End::Waits(Arc::clone(&until))]);
    tokio::join!(stage.work(MATRIX, attempts(0)), async {
        stage.in_progress.notified().await;
        until.notify_one();
    });
    assert_eq!(stage.protocol.said(), [HANDLED, Said::Broker(Settlement::InProgress), ACK]);
}

#[tokio::test]
async fn what_never_comes_to_a_handler_is_given_up_once() {
    let unhandled = || Unhandled {
        message: message(),
        subject: "movies.ingest.movie".to_owned(),
        payload: MATRIX.into(),
        headers: serde_json::json!({}),
        reason: Reason::MaxDeliver,
        error: "on purpose".to_owned(),
    };
    let stage = Stage::new([]);
    stage.worker.give_up(unhandled()).await.unwrap();
    assert_eq!(stage.protocol.said(), [dead(Reason::MaxDeliver, 1)]);
    let handled = FakeLedger { handled: true, ..FakeLedger::default() };
    let stage = Stage::with([], handled);
    stage.worker.give_up(unhandled()).await.unwrap();
    assert_eq!(stage.protocol.said(), []);
    let away = FakeLedger { away: true, ..FakeLedger::default() };
    assert!(Stage::with([], away).worker.give_up(unhandled()).await.is_err());
}
