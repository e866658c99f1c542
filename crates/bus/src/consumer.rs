//! A consumer: pulls as many messages as there are free permits, and works them off concurrently.
//!
//! The actor gives the pull loop a life that its root supervises. A broker that is away, or that
//! lost its store, ends a session and no actor: the next session makes the topology anew first. On
//! drain the loop stops pulling, waits for what is in hand and ends. Limits:
//! `nats/consumers/<durable>.json`; permits: the service's config.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::{self, AckKind, consumer::pull};
use futures::StreamExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::{ChildSpec, Component, Ledger, supervisor::restart_delay};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    Bus, Delivery, Handler, advisory,
    key::{clean, headers, message_key},
    settle::{Job, Pace, Worker, settle},
    topology, unreadable,
};

/// How long one pull stays open at the server. Short, for it takes the heartbeat's place:
/// async-nats 0.51 answers a heartbeat within a batch with `Pending` and no wake-up, and the batch
/// sleeps until its end (docs/adr/0006).
const PULL_EXPIRES: Duration = Duration::from_secs(4);
/// A pull ends after [`PULL_EXPIRES`] and work in hand is settled all the time: one that is out of
/// sight for longer gets nothing from its stream, or all that it has in hand waits.
const OUT_OF_SIGHT: Duration = Duration::from_secs(15);
/// Between two tries to reach a broker that is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// What a consumer needs.
pub struct ConsumerArgs<H, L> {
    /// The connection.
    pub bus: Bus,
    /// Tries and handled messages.
    pub ledger: L,
    /// Does the work.
    pub handler: Arc<H>,
    /// Messages in hand at once, at least 1.
    pub permits: usize,
    /// Cancelled when the service drains.
    pub drain: CancellationToken,
}

impl<H, L: Clone> Clone for ConsumerArgs<H, L> {
    fn clone(&self) -> Self {
        Self {
            bus: self.bus.clone(),
            ledger: self.ledger.clone(),
            handler: Arc::clone(&self.handler),
            permits: self.permits,
            drain: self.drain.clone(),
        }
    }
}

/// The supervised life of a pull loop.
pub struct ConsumerActor<H, L>(std::marker::PhantomData<fn() -> (H, L)>);

/// The loop ended: the service drains.
#[derive(Debug)]
pub struct Ended;

impl<H: Handler, L: Ledger> Actor for ConsumerActor<H, L> {
    type Msg = Ended;
    type State = ();
    type Arguments = ConsumerArgs<H, L>;

    async fn pre_start(
        &self,
        myself: ActorRef<Ended>,
        args: Self::Arguments,
    ) -> Result<(), ActorProcessingErr> {
        tokio::spawn(async move {
            // Dropped with a panic as well: then the actor ends with an error and its root starts
            // it anew.
            let told = Told(myself, args.drain.clone());
            pull_loop(args).await;
            drop(told);
        });
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Ended>,
        _: Ended,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        myself.stop(Some("drained".to_owned()));
        Ok(())
    }
}

/// Tells the actor that its loop ended, however it did. The actor may be gone already: then nobody
/// is left to tell.
struct Told(ActorRef<Ended>, CancellationToken);

impl Drop for Told {
    fn drop(&mut self) {
        match self.1.is_cancelled() {
            true => drop(self.0.cast(Ended)),
            false => self.0.stop(Some("its loop broke".to_owned())),
        }
    }
}

/// The child that runs this consumer.
#[must_use]
pub fn consumer_child<H: Handler, L: Ledger>(args: ConsumerArgs<H, L>) -> ChildSpec {
    ChildSpec::new(H::DURABLE, move |root| {
        let args = args.clone();
        async move {
            Actor::spawn_linked(None, ConsumerActor::<H, L>(std::marker::PhantomData), args, root)
                .await
                .map(|(child, _)| child.get_cell())
        }
    })
}

/// Pulls until the service drains. Whatever breaks (the server, the stream, the consumer) is made
/// anew and tried again: an outage of the broker is no fault of this actor.
async fn pull_loop<H: Handler, L: Ledger>(args: ConsumerArgs<H, L>) {
    let mut failures = 0;
    beat::<H>(&args.bus, Duration::ZERO);
    while !args.drain.is_cancelled() {
        let opened = Instant::now();
        match session(&args).await {
            Ok(()) => break,
            Err(reason) => {
                failures = if opened.elapsed() > LONGEST_PAUSE { 1 } else { failures + 1 };
                let pause = restart_delay(failures).min(LONGEST_PAUSE);
                warn!(
                    consumer = H::DURABLE,
                    reason,
                    pause_ms = pause.as_millis(),
                    "pulling broke; it begins anew"
                );
                tokio::select! {
                    () = args.drain.cancelled() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }
    info!(consumer = H::DURABLE, "stopped pulling; what was in hand is settled");
}

/// Seen at work; it will wait for so long before it pulls again.
fn beat<H: Handler>(bus: &Bus, wait: Duration) {
    bus.pulse.beat(Component { name: H::DURABLE, allowed: OUT_OF_SIGHT + wait, vital: false });
}

/// Stream and consumer, then pull after pull. `Ok`: the service drains. Either way what was in hand
/// is settled at the end.
async fn session<H: Handler, L: Ledger>(args: &ConsumerArgs<H, L>) -> Result<(), String> {
    args.bus.ensure_consumer(H::DURABLE).await.map_err(|e| e.to_string())?;
    let name = topology::stream_of(H::DURABLE).map_err(|e| e.to_string())?;
    let stream = args.bus.jetstream.get_stream(&name).await.map_err(|e| runtime::chain(&e))?;
    let consumer: jetstream::consumer::Consumer<pull::Config> =
        stream.get_consumer(H::DURABLE).await.map_err(|e| e.to_string())?;
    let worker = Worker {
        handler: Arc::clone(&args.handler),
        ledger: args.ledger.clone(),
        handed_back: Arc::clone(&args.bus.handed_back),
        drain: args.drain.clone(),
    };
    unreadable::give_up(&args.bus, &name, &worker).await;
    let advisories = tokio::spawn(advisory::listen(args.bus.clone(), stream, worker.clone()));
    let tracker = TaskTracker::new();
    let ended = pull(args, (&name, &consumer), (&worker, &tracker)).await;
    advisories.abort();
    tracker.close();
    tracker.wait().await;
    ended
}

async fn pull<H: Handler, L: Ledger>(
    args: &ConsumerArgs<H, L>,
    (stream, consumer): (&str, &jetstream::consumer::Consumer<pull::Config>),
    (worker, tracker): (&Worker<H, L>, &TaskTracker),
) -> Result<(), String> {
    let permits = Arc::new(Semaphore::new(args.permits.max(1)));
    let (pace_tx, mut pace_rx) = mpsc::channel(1);
    let mut connections = args.bus.connections();
    loop {
        let mut free = tokio::select! {
            () = args.drain.cancelled() => return Ok(()),
            free = free_permits(&permits) => free,
        };
        if let Ok(pause) = pace_rx.try_recv() {
            drop(free);
            beat::<H>(&args.bus, pause);
            tokio::select! {
                () = args.drain.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => continue,
            }
        }
        if connections != args.bus.connections() {
            // A message that the library cannot read may have ended the last one.
            connections = args.bus.connections();
            unreadable::give_up(&args.bus, stream, worker).await;
        }
        let batch =
            consumer.batch().max_messages(free.len()).expires(PULL_EXPIRES).messages().await;
        let batch = batch.map_err(|e| format!("cannot pull: {}", runtime::chain(&e)))?;
        let spawner = Spawner { worker, tracker, pace: &pace_tx, bus: &args.bus };
        read(batch, &mut free, &spawner, &args.drain).await?;
        beat::<H>(&args.bus, Duration::ZERO);
    }
}

async fn free_permits(permits: &Arc<Semaphore>) -> Vec<OwnedSemaphorePermit> {
    let mut free = Vec::new();
    if let Ok(first) = Arc::clone(permits).acquire_owned().await {
        free.push(first);
    }
    while let Ok(next) = Arc::clone(permits).try_acquire_owned() {
        free.push(next);
    }
    free
}

struct Spawner<'a, H, L> {
    worker: &'a Worker<H, L>,
    tracker: &'a TaskTracker,
    pace: &'a mpsc::Sender<Duration>,
    bus: &'a Bus,
}

/// Reads one pull to its end; each message takes a permit along.
async fn read<H: Handler, L: Ledger>(
    batch: pull::Batch,
    free: &mut Vec<OwnedSemaphorePermit>,
    spawner: &Spawner<'_, H, L>,
    drain: &CancellationToken,
) -> Result<(), String> {
    let mut chunks = batch.ready_chunks(free.len().max(1));
    loop {
        let chunk = tokio::select! {
            // Dropping the pull takes our interest away, so that the server sends nothing more into
            // it.
            () = drain.cancelled() => return Ok(()),
            chunk = chunks.next() => match chunk { Some(chunk) => chunk, None => return Ok(()) },
        };
        let mut jobs = Vec::with_capacity(chunk.len());
        for message in chunk {
            match message {
                Ok(message) => jobs.push(job(message)?),
                // What was received before the error is in hand: it is worked off, then the actor
                // starts anew.
                Err(e) => {
                    spawner.start(jobs, free).await;
                    return Err(format!("the pull broke: {e}"));
                }
            }
        }
        if !spawner.start(jobs, free).await {
            return Ok(());
        }
    }
}

impl<H: Handler, L: Ledger> Spawner<'_, H, L> {
    /// Notes the tries in the database, then starts the work. False: the database does not answer.
    async fn start(&self, jobs: Vec<Job>, free: &mut Vec<OwnedSemaphorePermit>) -> bool {
        if jobs.is_empty() {
            return true;
        }
        let keys: Vec<_> = jobs.iter().map(|j| j.delivery.key.clone()).collect();
        let standings = match self.worker.ledger.begin(H::DURABLE, &keys).await {
            Ok(standings) => {
                self.bus.pulse.works(H::DURABLE);
                standings
            }
            Err(e) => {
                let pause = self.worker.ledger.pause();
                warn!(consumer = H::DURABLE, error = %e, "the database takes no try; {} messages are handed back", jobs.len());
                self.bus.pulse.fails(H::DURABLE, &e.to_string());
                for job in jobs {
                    settle(&job.acker, AckKind::Nak(Some(pause))).await;
                }
                let _ = self.pace.try_send(pause);
                return false;
            }
        };
        for (mut job, standing) in jobs.into_iter().zip(standings) {
            job.delivery.failed_tries = standing.failed;
            let (worker, pace, permit) = (self.worker.clone(), self.pace.clone(), free.pop());
            let bus = self.bus.clone();
            self.tracker.spawn(async move {
                let mut work = std::pin::pin!(worker.run(job, standing));
                let ended = loop {
                    match tokio::time::timeout(OUT_OF_SIGHT / 3, &mut work).await {
                        Ok(ended) => break ended,
                        Err(_) => beat::<H>(&bus, Duration::ZERO),
                    }
                };
                if let Pace::Pause(pause) = ended {
                    // Full: a pause is already asked for.
                    let _ = pace.try_send(pause);
                }
                beat::<H>(&bus, Duration::ZERO);
                drop(permit);
            });
        }
        true
    }
}

fn job(message: jetstream::Message) -> Result<Job, String> {
    let (key, headers) = {
        let info = message.info().map_err(|e| format!("a message without JetStream facts: {e}"))?;
        let headers = headers(message.headers.as_ref());
        (
            message_key(
                &headers,
                (info.stream, info.published.unix_timestamp_nanos(), info.stream_sequence),
            ),
            headers,
        )
    };
    let subject = clean(&message.subject);
    let (message, acker) = message.split();
    let delivery = Delivery { key, subject, failed_tries: 0 };
    Ok(Job { delivery, payload: message.payload, headers: headers.into(), acker })
}
