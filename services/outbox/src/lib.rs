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

use bus::{Bus, BusError, Outgoing};
use futures::{StreamExt, stream};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::{ChildSpec, Component};
use store::{Held, Relayed, Sent, Store, StoreError};
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

/// Something may wait in the outbox.
#[derive(Debug)]
struct Look;

/// The child that runs the relay.
#[must_use]
pub fn relay_child(bus: Bus, store: Store) -> ChildSpec {
    ChildSpec::new("outbox-relay", move |root| {
        let args = (bus.clone(), store.clone());
        async move {
            Actor::spawn_linked(None, Relay, args, root).await.map(|(child, _)| child.get_cell())
        }
    })
    .serving()
}

impl Actor for Relay {
    type Msg = Look;
    type State = State;
    type Arguments = (Bus, Store);

    async fn pre_start(
        &self,
        myself: ActorRef<Look>,
        (bus, store): (Bus, Store),
    ) -> Result<State, ActorProcessingErr> {
        myself.send_interval(SWEEP_EVERY, || Look);
        let (listener, listening) = (myself.clone(), store.clone());
        let listening = tokio::spawn(async move {
            loop {
                if let Err(e) =
                    listening.listen("mangoes_outbox", || drop(listener.cast(Look))).await
                {
                    tracing::debug!(error = %runtime::chain(&e), "no notifications from the database for a while; the sweep goes on");
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
    async fn send_all(&mut self) -> Result<(), StoreError> {
        if self.births_seen.is_none_or(|at| at.elapsed() >= BIRTHS_EVERY) {
            self.note_births().await?;
        }
        // Looked at after the streams: nothing goes into one of somebody else.
        if let Some(why) = self.bus.disowned() {
            return Err(StoreError::Setup(why));
        }
        let (blocked, begun) = (Blocked::default(), Instant::now());
        while begun.elapsed() < BIRTHS_EVERY {
            let (bus, held) = (self.bus.clone(), blocked.held());
            let publish = |rows| publish(bus, rows, blocked.clone());
            let Some(pass) = self.store.relay((&held, BATCH_MAX), publish).await? else { break };
            self.bus.pulse().beat(PART);
            if pass.sent + pass.left == 0 || !self.bus.is_connected() {
                break;
            }
            if pass.sent == 0 {
                self.note_births().await?;
            }
        }
        Ok(())
    }

    /// Looks whether streams were made anew, while nobody publishes.
    async fn note_births(&mut self) -> Result<(), StoreError> {
        if !self.bus.is_connected() {
            return Ok(());
        }
        let work =
            self.store.while_nothing_is_relayed(false, make_and_fill_again(&self.bus, &self.store));
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
async fn make_and_fill_again(bus: &Bus, store: &Store) -> Result<(), StoreError> {
    let births = match bus.stream_births().await {
        Ok(births) => births,
        // The process ends (`vitals`); nothing more goes into a stream of somebody else.
        Err(e @ BusError::OtherInstallation { .. }) => {
            return Err(StoreError::Setup(e.to_string()));
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
    for birth in births {
        let again = store.note_generation(birth.stream, &birth.created_at, &birth.subjects).await?;
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
    store.while_nothing_is_relayed(true, work).await?.transpose()?;
    Ok(())
}

/// Keys whose earlier row could not be sent, with their stream's kinds of event: later ones wait,
/// so that their order stays.
#[derive(Clone, Default)]
struct Blocked(Arc<Mutex<HashMap<String, &'static [&'static str]>>>);

impl Blocked {
    fn hold(&self, key: String, subject: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, kinds(subject));
    }

    fn held(&self) -> Held {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut refused: HashMap<&[&str], usize> = HashMap::new();
        keys.values().for_each(|kinds| *refused.entry(kinds).or_default() += 1);
        let full =
            refused.into_iter().filter(|(_, n)| *n > REFUSED_MAX).flat_map(|(kinds, _)| kinds);
        Held {
            keys: keys.keys().cloned().collect(),
            kinds: full.map(|kind| (*kind).to_owned()).collect(),
        }
    }
}

/// The second words of the subjects that stand in the same stream.
fn kinds(subject: &str) -> &'static [&'static str] {
    match subject.split('.').nth(1) {
        Some("tick") => &["tick"],
        Some("ingest") => &["ingest"],
        Some("stale") => &["stale"],
        Some("dead") => &["dead"],
        Some(_) | None => &["refreshed", "changed", "removed", "run"],
    }
}

/// Rows of one key one after the other, keys side by side. What is not begun in time waits for the
/// next step.
async fn publish(bus: Bus, rows: Vec<Relayed>, blocked: Blocked) -> Sent {
    let mut by_key: BTreeMap<String, Vec<Relayed>> = BTreeMap::new();
    for row in rows {
        by_key.entry(row.ordering_key.clone()).or_default().push(row);
    }
    let deadline = Instant::now() + PASS_MAX;
    let sent = stream::iter(by_key)
        .map(|(key, rows)| publish_in_order(bus.clone(), (key, rows), (blocked.clone(), deadline)));
    sent.buffer_unordered(IN_FLIGHT)
        .fold(Sent::default(), |mut all, mut one| async move {
            all.confirmed.append(&mut one.confirmed);
            all.refused.append(&mut one.refused);
            all
        })
        .await
}

async fn publish_in_order(
    bus: Bus,
    (key, rows): (String, Vec<Relayed>),
    (blocked, deadline): (Blocked, Instant),
) -> Sent {
    let mut sent = Sent::default();
    for row in rows {
        if Instant::now() > deadline {
            break;
        }
        let (id, subject) = (row.id, row.subject.clone());
        let message = Outgoing {
            subject: row.subject,
            message_id: row.message_id,
            headers: row.headers,
            payload: row.payload.to_string().into(),
        };
        match bus.publish(message).await {
            Ok(_) => sent.confirmed.push(id),
            Err(e @ (BusError::TooLarge { .. } | BusError::Unpublishable { .. })) => {
                error!(error = %e, "never published; it is a dead letter now");
                sent.refused.push((id, e.to_string()));
            }
            Err(_) if runtime::fault_injection::without("outbox") => sent.confirmed.push(id),
            Err(e) => {
                warn!(error = %e, %subject, "not published; it stays in the outbox");
                blocked.hold(key, &subject);
                break;
            }
        }
    }
    sent
}
