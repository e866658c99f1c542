//! A consumer: pulls as many messages as there are free permits, and works them off concurrently.
//!
//! The actor gives the pull loop a life that its root supervises: an error ends the loop and the actor, the root starts
//! both again (topology first: after the loss of a store the consumer must be made anew). On drain the loop stops pulling,
//! waits for what is in hand and ends. Limits: `nats/consumers/<durable>.json`; permits: the service's config.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{self, AckKind, consumer::pull};
use futures::StreamExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::{ChildSpec, Ledger};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    Bus, Delivery, Handler,
    settle::{Job, Pace, Worker, settle},
    topology,
};

/// How long one pull stays open at the server. Short, for it takes the heartbeat's place: async-nats 0.51 answers a
/// heartbeat within a batch with `Pending` and no wake-up, and the batch sleeps until its end (docs/adr/0006).
const PULL_EXPIRES: Duration = Duration::from_secs(4);

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

/// How the loop ended.
#[derive(Debug)]
pub struct Ended(Result<(), String>);

impl<H: Handler, L: Ledger> Actor for ConsumerActor<H, L> {
    type Msg = Ended;
    type State = ();
    type Arguments = ConsumerArgs<H, L>;

    async fn pre_start(&self, myself: ActorRef<Ended>, args: Self::Arguments) -> Result<(), ActorProcessingErr> {
        tokio::spawn(async move {
            let ended = Ended(pull_loop(args).await);
            // The actor may be gone already, when its root is killed: nobody is left to tell.
            let _ = myself.cast(ended);
        });
        Ok(())
    }

    async fn handle(&self, myself: ActorRef<Ended>, ended: Ended, (): &mut ()) -> Result<(), ActorProcessingErr> {
        match ended.0 {
            Ok(()) => myself.stop(Some("drained".to_owned())),
            Err(reason) => return Err(reason.into()),
        }
        Ok(())
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

async fn pull_loop<H: Handler, L: Ledger>(args: ConsumerArgs<H, L>) -> Result<(), String> {
    args.bus.ensure_topology().await.map_err(|e| e.to_string())?;
    let stream = topology::stream_of(H::DURABLE).map_err(|e| e.to_string())?;
    let consumer: jetstream::consumer::Consumer<pull::Config> =
        args.bus.jetstream.get_consumer_from_stream(H::DURABLE, stream).await.map_err(|e| runtime::chain(&e))?;
    let (tracker, permits) = (TaskTracker::new(), Arc::new(Semaphore::new(args.permits.max(1))));
    let (pace_tx, mut pace_rx) = mpsc::channel(1);
    let worker = Worker { handler: Arc::clone(&args.handler), ledger: args.ledger.clone() };
    let ended = loop {
        let mut free = tokio::select! {
            () = args.drain.cancelled() => break Ok(()),
            free = free_permits(&permits) => free,
        };
        if let Ok(pause) = pace_rx.try_recv() {
            drop(free);
            tokio::select! {
                () = args.drain.cancelled() => break Ok(()),
                () = tokio::time::sleep(pause) => continue,
            }
        }
        let pull = consumer.batch().max_messages(free.len()).expires(PULL_EXPIRES).messages().await;
        let batch = match pull {
            Ok(batch) => batch,
            Err(e) => break Err(format!("cannot pull: {}", runtime::chain(&e))),
        };
        let spawner = Spawner { worker: &worker, tracker: &tracker, pace: &pace_tx };
        match read(batch, &mut free, &spawner, &args.drain).await {
            Ok(()) => {}
            Err(e) => break Err(e),
        }
    };
    tracker.close();
    tracker.wait().await;
    info!(consumer = H::DURABLE, "stopped pulling; what was in hand is settled");
    ended
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
            // Dropping the pull takes our interest away, so that the server sends nothing more into it.
            () = drain.cancelled() => return Ok(()),
            chunk = chunks.next() => match chunk { Some(chunk) => chunk, None => return Ok(()) },
        };
        let mut jobs = Vec::with_capacity(chunk.len());
        for message in chunk {
            match message {
                Ok(message) => jobs.push(job(message)?),
                // What was received before the error is in hand: it is worked off, then the actor starts anew.
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
            Ok(standings) => standings,
            Err(e) => {
                let pause = self.worker.ledger.pause();
                warn!(consumer = H::DURABLE, error = %e, "the database does not answer; {} messages are handed back", jobs.len());
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
            self.tracker.spawn(async move {
                if let Pace::Pause(pause) = worker.run(job, standing).await {
                    // Full: a pause is already asked for.
                    let _ = pace.try_send(pause);
                }
                drop(permit);
            });
        }
        true
    }
}

fn job(message: jetstream::Message) -> Result<Job, String> {
    let (key, headers) = {
        let info = message.info().map_err(|e| format!("a message without JetStream facts: {e}"))?;
        let headers: serde_json::Map<String, serde_json::Value> = message
            .headers
            .iter()
            .flat_map(|h| h.iter())
            .filter_map(|(name, values)| Some((name.to_string(), values.first()?.as_str().into())))
            .collect();
        // Sequences start anew when a store is lost; the time of storing does not.
        let key = match headers.get("Nats-Msg-Id").and_then(|v| v.as_str()) {
            Some(id) => id.to_owned(),
            None => format!("{}:{}:{}", info.stream, info.published.unix_timestamp_nanos(), info.stream_sequence),
        };
        (key, headers)
    };
    let subject = message.subject.to_string();
    let (message, acker) = message.split();
    let delivery = Delivery { key, subject, failed_tries: 0 };
    Ok(Job { delivery, payload: message.payload, headers: headers.into(), acker })
}
