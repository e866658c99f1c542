//! The relay's actor: woken by the writers of its process, for the writers of others by the
//! database's notification, and every second all the same.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bus::Bus;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::{ChildSpec, Component};
use store::{Channel, LockWait, Store};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use crate::{
    error::RelayError,
    publish::{Blocked, publish},
    streams::recreate_lost_streams,
};

/// Rows of one step.
const BATCH_MAX: usize = 512;
/// The look behind the notification.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How soon a relay that was woken looks again while another process publishes: that one may have
/// looked a moment before the commit.
const ANOTHER_LOOK: Duration = Duration::from_millis(20);
/// A step ends at the latest when the database gives up on it, after 30 s.
const COMPONENT: Component =
    Component { name: "outbox-relay", allowed: Duration::from_secs(45), vital: true };
/// How soon the loss of a stream is seen where nothing has to be published.
const STREAMS_EVERY: Duration = Duration::from_secs(5);

struct Relay;

struct State {
    bus: Bus,
    store: Store,
    streams_seen_at: Option<Instant>,
    waker: Waker,
    /// End with the actor, however that ends.
    _listening: [AbortOnDropHandle<()>; 2],
}

/// What the relay starts with.
#[derive(Clone)]
struct RelayArgs {
    bus: Bus,
    store: Store,
}

/// Something may wait in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Time has passed.
    Sweep,
    /// Somebody has written an event.
    Woken,
}

/// Wakes the relay, however often it is called once before its next look.
#[derive(Clone)]
struct Waker {
    relay: ActorRef<Look>,
    is_awaited: Arc<AtomicBool>,
}

impl Waker {
    fn wake(&self) {
        if !self.is_awaited.swap(true, Ordering::AcqRel) {
            // A relay that has ended needs no waking.
            let _ = self.relay.cast(Look::Woken);
        }
    }

    /// The relay looks now.
    fn looks(&self) {
        self.is_awaited.store(false, Ordering::Release);
    }
}

/// What a look left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// Everything that could be sent is sent.
    Through,
    /// Another process publishes.
    Elsewhere,
}

/// The child that runs the relay.
#[must_use]
pub fn relay_child(bus: Bus, store: Store) -> ChildSpec {
    ChildSpec::actor(COMPONENT.name, || Relay, RelayArgs { bus, store }).serving()
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
        myself.send_interval(SWEEP_EVERY, || Look::Sweep);
        let waker = Waker { relay: myself, is_awaited: Arc::default() };
        let listening = [
            tokio::spawn(wake_for_others(store.clone(), waker.clone())),
            tokio::spawn(wake_for_own(store.clone(), waker.clone())),
        ];
        bus.pulse().beat(COMPONENT);
        Ok(State {
            bus,
            store,
            streams_seen_at: None,
            waker,
            _listening: listening.map(AbortOnDropHandle::new),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Look>,
        look: Look,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.waker.looks();
        match state.send_all().await {
            Ok(looked) => {
                state.bus.pulse().works(COMPONENT.name);
                if look == Look::Woken && looked == Looked::Elsewhere {
                    myself.send_after(ANOTHER_LOOK, || Look::Woken);
                }
            }
            Err(e) => {
                let error = runtime::chain(&e);
                warn!(error, "events cannot be published now; they stay unsent");
                state.bus.pulse().fails(COMPONENT.name, &error);
            }
        }
        state.bus.pulse().beat(COMPONENT);
        Ok(())
    }
}

async fn wake_for_others(store: Store, waker: Waker) {
    store.listen(Channel::Outbox, || waker.wake()).await;
}

async fn wake_for_own(store: Store, waker: Waker) {
    loop {
        store.events_written().await;
        waker.wake();
    }
}

impl State {
    /// Everything that is unsent, once. A row that cannot be sent holds up those of its own key and
    /// no others.
    async fn send_all(&mut self) -> Result<Looked, RelayError> {
        if self.streams_seen_at.is_none_or(|at| at.elapsed() >= STREAMS_EVERY) {
            self.look_at_streams().await?;
        }
        // Looked at after the streams: nothing goes into one of somebody else.
        if let Some(why) = self.bus.disowned() {
            return Err(RelayError::Disowned(why));
        }
        let (blocked, begun) = (Blocked::default(), Instant::now());
        while begun.elapsed() < STREAMS_EVERY {
            let (bus, withheld) = (self.bus.clone(), blocked.withheld());
            let publish = |rows| publish(bus, rows, blocked.clone());
            let step = self.store.relay(&withheld, BATCH_MAX, publish).await?;
            let Some(step) = step else { return Ok(Looked::Elsewhere) };
            self.bus.pulse().beat(COMPONENT);
            // Fewer rows than asked for were all that there were; whatever is written after them
            // wakes the relay again.
            if (step.left == 0 && step.sent < BATCH_MAX) || !self.bus.is_connected() {
                break;
            }
            if step.sent == 0 {
                self.look_at_streams().await?;
            }
        }
        Ok(Looked::Through)
    }

    /// Looks whether streams were recreated, while nobody publishes.
    async fn look_at_streams(&mut self) -> Result<(), RelayError> {
        if !self.bus.is_connected() {
            return Ok(());
        }
        let work = recreate_lost_streams(&self.bus, &self.store);
        let work = self.store.while_nothing_is_relayed(LockWait::Never, work);
        // Marking a million rows takes long; each of its steps has a deadline.
        let beats = async {
            loop {
                self.bus.pulse().beat(COMPONENT);
                tokio::time::sleep(COMPONENT.allowed / 4).await;
            }
        };
        let noted = tokio::select! {
            noted = work => noted?,
            () = beats => None,
        };
        if let Some(noted) = noted {
            noted?;
            self.streams_seen_at = Some(Instant::now());
        }
        self.bus.pulse().beat(COMPONENT);
        Ok(())
    }
}
