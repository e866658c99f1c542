//! The pull loop of a consumer: pull after pull, and from the start again after a failure.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::{self, consumer::pull, stream::Stream};
use delivery::{Delivery, MessageRef};
use futures::StreamExt;
use proto::MessageKey;
use runtime::{Component, supervisor::restart_delay};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{
    advisory,
    args::Consumer,
    settle::Settlement,
    unreadable,
    work::{InFlight, Pace, Worker},
};
use crate::{
    Bus, BusError,
    message_key::{StoredAt, clean, id_of, message_key, trace_of},
    topology,
};

/// How long one pull stays open at the server. Short, for it takes the heartbeat's place:
/// async-nats 0.51 answers a heartbeat within a batch with `Pending` and no wake-up, and the batch
/// sleeps until its end (docs/adr/0006).
const PULL_EXPIRES: Duration = Duration::from_secs(4);
/// How long a pull is put off for a group of free permits: work that hangs with the rest of them
/// holds up no other message for longer.
const GROUP_AFTER: Duration = Duration::from_millis(20);
/// A pull ends after [`PULL_EXPIRES`] and work in flight is settled all the time: a consumer that
/// is out of sight for longer gets nothing from its stream, or all that it has in flight waits.
const OUT_OF_SIGHT: Duration = Duration::from_secs(15);
/// Between two attempts to reach a broker that is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Why pulling stopped; it starts again soon.
#[derive(Debug, thiserror::Error)]
enum PullError {
    #[error(transparent)]
    Topology(#[from] BusError),
    #[error("the consumer cannot be used: {0}")]
    Consumer(String),
    #[error("messages cannot be pulled: {0}")]
    Pull(String),
}

/// Pulls until the service drains. Whatever fails (the server, the stream, the consumer) is created
/// again: an outage of the broker is no fault of this actor.
pub(super) async fn pull_loop(consumer: Consumer) {
    let (bus, drain) = (consumer.args.bus.clone(), consumer.args.drain.clone());
    let worker = Worker {
        handler: consumer.handler,
        ledger: consumer.args.ledger,
        handed_back: Arc::clone(&bus.handed_back),
        drain: drain.clone(),
        waiting_in_a_row: Arc::default(),
    };
    let puller = Puller { bus, worker, permits: consumer.args.permits.max(1), drain };
    puller.run().await;
}

struct Puller {
    bus: Bus,
    worker: Worker,
    permits: usize,
    drain: CancellationToken,
}

/// The consumer at the server.
struct Source {
    stream: String,
    consumer: jetstream::consumer::Consumer<pull::Config>,
}

/// What is in flight.
struct Flight {
    tracker: TaskTracker,
    permits: Arc<Semaphore>,
    /// So many permits are free before more messages are asked for.
    group: usize,
    pauses: mpsc::Sender<Duration>,
}

/// Permits that are awaited before a pull: a quarter of all, so that messages come in groups and
/// what is asked of the database before their work is asked for many at once. While little is in
/// flight that many are free, and nobody waits.
const fn group_of(permits: usize) -> usize {
    permits.div_ceil(4)
}

impl Puller {
    async fn run(&self) {
        let mut failures = 0;
        self.beat(Duration::ZERO);
        while !self.drain.is_cancelled() {
            let opened = Instant::now();
            match self.pull_until_it_fails().await {
                Ok(()) => break,
                Err(e) => {
                    failures = if opened.elapsed() > LONGEST_PAUSE { 1 } else { failures + 1 };
                    let pause = restart_delay(failures).min(LONGEST_PAUSE);
                    warn!(
                        consumer = self.worker.durable(),
                        error = %e,
                        pause_ms = pause.as_millis(),
                        "the consumer stopped pulling; it starts again"
                    );
                    self.wait(pause).await;
                }
            }
        }
        info!(
            consumer = self.worker.durable(),
            "the consumer stopped pulling; what was in flight is settled"
        );
    }

    /// Seen at work; it will wait for this long before it pulls again.
    fn beat(&self, wait: Duration) {
        beat(&self.bus, self.worker.durable(), wait);
    }

    /// Waits, at most until the service drains.
    async fn wait(&self, pause: Duration) {
        tokio::select! {
            () = self.drain.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// Stream and consumer, then pull after pull. `Ok`: the service drains. Either way what was in
    /// flight is settled at the end.
    async fn pull_until_it_fails(&self) -> Result<(), PullError> {
        let durable = self.worker.durable();
        self.bus.ensure_consumer(durable).await?;
        let name = self.bus.namespace.stream(&topology::stream_of(durable)?);
        let unusable =
            |e: &(dyn std::error::Error + 'static)| PullError::Consumer(runtime::chain(e));
        let stream: Stream =
            self.bus.jetstream.get_stream(&name).await.map_err(|e| unusable(&e))?;
        let consumer =
            stream.get_consumer(durable).await.map_err(|e| PullError::Consumer(e.to_string()))?;
        unreadable::give_up(&self.bus, &name, &self.worker).await;
        let advisories =
            tokio::spawn(advisory::listen(self.bus.clone(), stream, self.worker.clone()));
        let tracker = TaskTracker::new();
        let ended = self.pull(&Source { stream: name, consumer }, &tracker).await;
        advisories.abort();
        tracker.close();
        tracker.wait().await;
        ended
    }

    async fn pull(&self, source: &Source, tracker: &TaskTracker) -> Result<(), PullError> {
        let (pauses, mut asked_pauses) = mpsc::channel(1);
        let permits = Arc::new(Semaphore::new(self.permits));
        let group = group_of(self.permits);
        let flight = Flight { tracker: tracker.clone(), permits, group, pauses };
        let mut connections = self.bus.connections();
        loop {
            let mut free = tokio::select! {
                () = self.drain.cancelled() => return Ok(()),
                free = flight.free_permits() => free,
            };
            if let Ok(pause) = asked_pauses.try_recv() {
                drop(free);
                self.beat(pause);
                self.wait(pause).await;
                if self.drain.is_cancelled() {
                    return Ok(());
                }
                continue;
            }
            if connections != self.bus.connections() {
                // A message that the library cannot read may have ended the last one.
                connections = self.bus.connections();
                unreadable::give_up(&self.bus, &source.stream, &self.worker).await;
            }
            let pull = source.consumer.batch().max_messages(free.len()).expires(PULL_EXPIRES);
            let batch = pull.messages().await;
            let batch = batch.map_err(|e| PullError::Pull(runtime::chain(&e)))?;
            self.read(batch, &mut free, &flight).await?;
            self.beat(Duration::ZERO);
        }
    }

    /// Reads one pull to its end; each message takes a permit along.
    async fn read(
        &self,
        batch: pull::Batch,
        free: &mut Vec<OwnedSemaphorePermit>,
        flight: &Flight,
    ) -> Result<(), PullError> {
        let mut chunks = batch.ready_chunks(free.len().max(1));
        loop {
            let chunk = tokio::select! {
                // Dropping the pull takes our interest away, so that the server sends nothing more
                // into it.
                () = self.drain.cancelled() => return Ok(()),
                chunk = chunks.next() => chunk,
            };
            let Some(chunk) = chunk else { return Ok(()) };
            let mut messages = Vec::with_capacity(chunk.len());
            for message in chunk {
                match message {
                    Ok(message) => messages.push(self.in_flight(message)?),
                    // What was received before the error is in flight: it is worked on, then the
                    // loop starts again.
                    Err(e) => {
                        self.start(messages, free, flight).await;
                        return Err(PullError::Pull(e.to_string()));
                    }
                }
            }
            if !self.start(messages, free, flight).await {
                return Ok(());
            }
        }
    }

    fn in_flight(&self, message: jetstream::Message) -> Result<InFlight, PullError> {
        let key: MessageKey = {
            let info = message.info().map_err(|e| {
                PullError::Pull(format!("a message came without the facts of JetStream: {e}"))
            })?;
            let stored = StoredAt {
                stream: info.stream,
                nanos: info.published.unix_timestamp_nanos(),
                sequence: info.stream_sequence,
            };
            message_key(id_of(message.headers.as_ref()).as_deref(), &stored)
        };
        let subject = clean(self.bus.namespace.bare(&message.subject));
        let trace = message.headers.as_ref().and_then(trace_of);
        let of = MessageRef { consumer: self.worker.durable(), key };
        let (message, acker) = message.split();
        Ok(InFlight {
            delivery: Delivery { message: of, subject, failed_attempts: 0, trace },
            payload: message.payload,
            headers: message.headers.unwrap_or_default(),
            receipt: Box::new(acker),
        })
    }

    /// Records the attempts in the database, then starts the work. False: the database does not
    /// answer.
    async fn start(
        &self,
        messages: Vec<InFlight>,
        free: &mut Vec<OwnedSemaphorePermit>,
        flight: &Flight,
    ) -> bool {
        if messages.is_empty() {
            return true;
        }
        let durable = self.worker.durable();
        let keys: Vec<_> = messages.iter().map(|m| m.delivery.message.key.clone()).collect();
        let begun = match self.worker.ledger.begin(durable, &keys).await {
            Ok(begun) => begun,
            Err(e) => {
                self.hand_back(messages, &e.to_string(), flight).await;
                return false;
            }
        };
        self.bus.pulse.works(durable);
        for (mut message, attempts) in messages.into_iter().zip(begun) {
            message.delivery.failed_attempts = attempts.failed;
            let (worker, bus, permit) = (self.worker.clone(), self.bus.clone(), free.pop());
            let pauses = flight.pauses.clone();
            flight.tracker.spawn(async move {
                let mut work = std::pin::pin!(worker.run(message, attempts));
                let pace = loop {
                    match tokio::time::timeout(OUT_OF_SIGHT / 3, &mut work).await {
                        Ok(pace) => break pace,
                        Err(_) => beat(&bus, worker.durable(), Duration::ZERO),
                    }
                };
                if let Pace::Pause(pause) = pace {
                    // Full: a pause is asked for already.
                    let _ = pauses.try_send(pause);
                }
                beat(&bus, worker.durable(), Duration::ZERO);
                drop(permit);
            });
        }
        true
    }

    async fn hand_back(&self, messages: Vec<InFlight>, error: &str, flight: &Flight) {
        let durable = self.worker.durable();
        let pause = self.worker.ledger.pause();
        warn!(
            consumer = durable,
            error,
            messages = messages.len(),
            "the database cannot record the attempts; the messages are handed back"
        );
        self.bus.pulse.fails(durable, error);
        for message in messages {
            message.receipt.settle(Settlement::Nak(pause)).await;
        }
        // Full: a pause is asked for already.
        let _ = flight.pauses.try_send(pause);
    }
}

impl Flight {
    /// A group of them, or after a while those that there are, at least one.
    async fn free_permits(&self) -> Vec<OwnedSemaphorePermit> {
        let group = u32::try_from(self.group).unwrap_or(u32::MAX);
        // They are taken below: nobody else takes permits.
        let _ = tokio::time::timeout(GROUP_AFTER, self.permits.acquire_many(group)).await;
        let mut free = Vec::new();
        if let Ok(first) = Arc::clone(&self.permits).acquire_owned().await {
            free.push(first);
        }
        while let Ok(next) = Arc::clone(&self.permits).try_acquire_owned() {
            free.push(next);
        }
        free
    }
}

fn beat(bus: &Bus, durable: &'static str, wait: Duration) {
    bus.pulse.beat(Component { name: durable, allowed: OUT_OF_SIGHT + wait, vital: false });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_awaits_a_quarter_of_the_permits_and_one_at_least() {
        for (permits, group) in [(1, 1), (2, 1), (4, 1), (5, 2), (64, 16)] {
            assert_eq!(group_of(permits), group, "of {permits}");
        }
    }

    fn flight(permits: usize) -> Flight {
        Flight {
            tracker: TaskTracker::new(),
            permits: Arc::new(Semaphore::new(permits)),
            group: group_of(permits),
            pauses: mpsc::channel(1).0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_asked_for_in_groups_and_nobody_waits_for_long() {
        let flight = flight(8);
        let begun = tokio::time::Instant::now();
        let mut taken = flight.free_permits().await;
        assert_eq!((taken.len(), begun.elapsed()), (8, Duration::ZERO), "an idle consumer");
        // One permit is no group: it is given after a while.
        taken.truncate(7);
        assert_eq!(flight.free_permits().await.len(), 1);
        assert_eq!(begun.elapsed(), GROUP_AFTER);
        // Two are: they are given as soon as they are free.
        let mut next = Box::pin(flight.free_permits());
        assert!(futures::poll!(&mut next).is_pending());
        taken.truncate(5);
        assert_eq!(next.await.len(), 3);
        assert_eq!(begun.elapsed(), GROUP_AFTER);
    }
}
