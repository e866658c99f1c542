//! The outbox relay: publishes what transactions wrote, in order, until the stream has confirmed
//! it.
//!
//! Runs in every process; one at a time holds the lock and publishes. Between the stream's
//! confirmation and the mark in the database a crash publishes again, with the same message ids. A
//! stream that was lost gets again what the outbox keeps.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bus::{Bus, BusError, Outgoing, topology};
use futures::{StreamExt, stream};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::{ChildSpec, Component};
use store::{
    LockWait, OutboxRow, PublishOutcome, Refusal, Store, StoreError, StreamGeneration, Withheld,
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, warn};

const BATCH_MAX: i64 = 512;
const IN_FLIGHT: usize = 128;
/// After this a step begins no more rows: what is confirmed has to be marked before the database
/// loses patience.
const PASS_MAX: Duration = Duration::from_secs(15);
/// More rows than these that a stream does not take: the stream is at fault, and all of its rows
/// wait for the next look.
const REFUSED_MAX: usize = 500;
/// The look behind the notification.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// A pass ends with the database's patience (30 s) at the latest.
const PART: Component =
    Component { name: "outbox-relay", allowed: Duration::from_secs(45), vital: true };
/// How soon the loss of a stream is seen where nothing has to be published.
const BIRTHS_EVERY: Duration = Duration::from_secs(5);

struct Relay;

struct State {
    bus: Bus,
    store: Store,
    births_seen: Option<Instant>,
    /// Ends with the actor, however that ends: its connection would be missing in the pool.
    _listening: AbortOnDropHandle<()>,
}

/// Why the relay could not do its step.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Topology(BusError),
    /// A stream belongs to another installation: nothing may be published into it.
    #[error("{0}")]
    Disowned(String),
}

/// What the relay starts with.
struct RelayArgs {
    bus: Bus,
    store: Store,
}

/// Something may wait in the outbox.
#[derive(Debug)]
struct Look;

/// The child that runs the relay.
#[must_use]
pub fn relay_child(bus: Bus, store: Store) -> ChildSpec {
    ChildSpec::new("outbox-relay", move |root| {
        let args = RelayArgs { bus: bus.clone(), store: store.clone() };
        async move {
            Actor::spawn_linked(None, Relay, args, root).await.map(|(child, _)| child.get_cell())
        }
    })
    .serving()
}

impl Actor for Relay {
    type Msg = Look;
    type State = State;
    type Arguments = RelayArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Look>,
        RelayArgs { bus, store }: RelayArgs,
    ) -> Result<State, ActorProcessingErr> {
        myself.send_interval(SWEEP_EVERY, || Look);
        let (listener, listening) = (myself.clone(), store.clone());
        let listening = tokio::spawn(async move {
            loop {
                // A relay that has ended needs no notification.
                let look = || {
                    let _ = listener.cast(Look);
                };
                if let Err(e) = listening.listen("mangoes_outbox", look).await {
                    tracing::debug!(
                        error = %runtime::chain(&e),
                        "no notifications from the database for a while; the sweep goes on"
                    );
                }
                tokio::time::sleep(SWEEP_EVERY).await;
            }
        });
        bus.pulse().beat(PART);
        Ok(State { bus, store, births_seen: None, _listening: AbortOnDropHandle::new(listening) })
    }

    async fn handle(
        &self,
        _: ActorRef<Look>,
        _: Look,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match state.send_all().await {
            Ok(()) => state.bus.pulse().works(PART.name),
            Err(e) => {
                warn!(error = %runtime::chain(&e), "the outbox waits for the database");
                state.bus.pulse().fails(PART.name, &runtime::chain(&e));
            }
        }
        state.bus.pulse().beat(PART);
        Ok(())
    }
}

impl State {
    /// Everything that is unsent, once. A row that cannot be sent holds up those of its own key and
    /// no others.
    async fn send_all(&mut self) -> Result<(), RelayError> {
        if self.births_seen.is_none_or(|at| at.elapsed() >= BIRTHS_EVERY) {
            self.note_births().await?;
        }
        // Looked at after the streams: nothing goes into one of somebody else.
        if let Some(why) = self.bus.disowned() {
            return Err(RelayError::Disowned(why));
        }
        let (blocked, begun) = (Blocked::default(), Instant::now());
        while begun.elapsed() < BIRTHS_EVERY {
            let (bus, withheld) = (self.bus.clone(), blocked.withheld());
            let publish = |rows| publish(bus, rows, blocked.clone());
            let Some(step) = self.store.relay(&withheld, BATCH_MAX, publish).await? else { break };
            self.bus.pulse().beat(PART);
            if step.sent + step.left == 0 || !self.bus.is_connected() {
                break;
            }
            if step.sent == 0 {
                self.note_births().await?;
            }
        }
        Ok(())
    }

    /// Looks whether streams were made anew, while nobody publishes.
    async fn note_births(&mut self) -> Result<(), RelayError> {
        if !self.bus.is_connected() {
            return Ok(());
        }
        let work = make_and_fill_again(&self.bus, &self.store);
        let work = self.store.while_nothing_is_relayed(LockWait::Never, work);
        // Marking a million rows takes long; each of its steps has a deadline.
        let beats = async {
            loop {
                self.bus.pulse().beat(PART);
                tokio::time::sleep(PART.allowed / 4).await;
            }
        };
        let noted = tokio::select! {
            noted = work => noted?,
            () = beats => None,
        };
        if let Some(noted) = noted {
            noted?;
            self.births_seen = Some(Instant::now());
        }
        self.bus.pulse().beat(PART);
        Ok(())
    }
}

/// Makes what is missing, and has what a stream lost published again before anything new: else a
/// movie's events would stand in the wrong order. To be called while nothing is relayed.
async fn make_and_fill_again(bus: &Bus, store: &Store) -> Result<(), RelayError> {
    let births = match bus.stream_births().await {
        Ok(births) => births,
        // The process ends (`vitals`); nothing more goes into a stream of somebody else.
        Err(e @ BusError::OtherInstallation { .. }) => {
            return Err(RelayError::Disowned(e.to_string()));
        }
        Err(missing) => {
            warn!(error = %missing, "a stream is away; it is made anew");
            if let Err(e) = bus.ensure_topology().await {
                warn!(error = %e, "the streams cannot be made");
                return Ok(());
            }
            match bus.stream_births().await {
                Ok(births) => births,
                Err(_) => return Ok(()),
            }
        }
    };
    let work = topology::subjects_of_work().map_err(RelayError::Topology)?;
    for birth in births {
        let stream = StreamGeneration {
            stream: birth.stream,
            created_at: &birth.created_at,
            subjects: &birth.subjects,
        };
        let again = store.record_generation(stream, &work).await?;
        if again > 0 {
            warn!(
                stream = birth.stream,
                rows = again,
                "the stream was made anew; what it lost is published again"
            );
        }
    }
    Ok(())
}

/// Streams and consumers at the start of a process. Other processes may be at work meanwhile.
///
/// # Errors
/// When the broker or the database does not do it.
pub async fn make_topology(bus: &Bus, store: &Store) -> anyhow::Result<()> {
    let work = async {
        bus.ensure_topology().await?;
        anyhow::Ok(make_and_fill_again(bus, store).await?)
    };
    store.while_nothing_is_relayed(LockWait::UntilFree, work).await?.transpose()?;
    Ok(())
}

/// Keys whose earlier event could not be sent, each with the stream of that event: later events of
/// the key wait, so that their order stays.
#[derive(Clone, Default)]
struct Blocked(Arc<Mutex<HashMap<String, &'static str>>>);

impl Blocked {
    fn hold(&self, key: String, subject: &str) {
        // An event that no stream takes was refused before.
        let stream = topology::stream_taking(subject).unwrap_or_default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, stream);
    }

    fn withheld(&self) -> Withheld {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut refused: HashMap<&str, usize> = HashMap::new();
        keys.values().for_each(|stream| *refused.entry(stream).or_default() += 1);
        let full = refused.into_iter().filter(|(_, n)| *n > REFUSED_MAX);
        Withheld {
            keys: keys.keys().cloned().collect(),
            subjects: full.flat_map(|(stream, _)| topology::subjects_of(stream)).collect(),
        }
    }
}

/// Where events that are being published go.
struct Publisher {
    bus: Bus,
    blocked: Blocked,
    /// After it no event is begun.
    deadline: Instant,
}

/// Rows of one key one after the other, keys side by side. What is not begun in time waits for the
/// next step.
async fn publish(bus: Bus, rows: Vec<OutboxRow>, blocked: Blocked) -> PublishOutcome {
    let mut by_key: BTreeMap<String, Vec<OutboxRow>> = BTreeMap::new();
    for row in rows {
        by_key.entry(row.ordering_key.clone()).or_default().push(row);
    }
    let publisher = &Publisher { bus, blocked, deadline: Instant::now() + PASS_MAX };
    stream::iter(by_key)
        .map(|(key, rows)| publisher.publish_in_order(key, rows))
        .buffer_unordered(IN_FLIGHT)
        .fold(PublishOutcome::default(), |mut all, mut one| async move {
            all.confirmed.append(&mut one.confirmed);
            all.refused.append(&mut one.refused);
            all
        })
        .await
}

impl Publisher {
    async fn publish_in_order(&self, key: String, rows: Vec<OutboxRow>) -> PublishOutcome {
        let mut outcome = PublishOutcome::default();
        for row in rows {
            if Instant::now() > self.deadline {
                break;
            }
            let (id, subject) = (row.id, row.subject.clone());
            let message = Outgoing {
                subject: row.subject,
                message_id: row.message_id,
                headers: row.headers,
                payload: row.payload.to_string().into(),
            };
            match self.bus.publish(message).await {
                Ok(_) => outcome.confirmed.push(id),
                Err(e @ (BusError::TooLarge { .. } | BusError::Unpublishable { .. })) => {
                    error!(error = %e, "an event can never be published; it is a dead letter now");
                    outcome.refused.push(Refusal { id, error: e.to_string() });
                }
                Err(_) if runtime::fault_injection::without("outbox") => outcome.confirmed.push(id),
                Err(e) => {
                    warn!(error = %e, %subject, "an event is not published; it stays unsent");
                    self.blocked.hold(key, &subject);
                    break;
                }
            }
        }
        outcome
    }
}
