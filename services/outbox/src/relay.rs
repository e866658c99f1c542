//! The relay's actor: woken by the database's notification, and every second all the same.

use std::time::{Duration, Instant};

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
const BATCH_MAX: i64 = 512;
/// The look behind the notification.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
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
    /// Ends with the actor, however that ends.
    _listening: AbortOnDropHandle<()>,
}

/// What the relay starts with.
#[derive(Clone)]
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
        myself.send_interval(SWEEP_EVERY, || Look);
        let (listener, listening) = (myself.clone(), store.clone());
        let listening = tokio::spawn(async move {
            // A relay that has ended needs no notification.
            let look = || {
                let _ = listener.cast(Look);
            };
            listening.listen(Channel::Outbox, look).await;
        });
        bus.pulse().beat(COMPONENT);
        Ok(State {
            bus,
            store,
            streams_seen_at: None,
            _listening: AbortOnDropHandle::new(listening),
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Look>,
        _: Look,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match state.send_all().await {
            Ok(()) => state.bus.pulse().works(COMPONENT.name),
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

impl State {
    /// Everything that is unsent, once. A row that cannot be sent holds up those of its own key and
    /// no others.
    async fn send_all(&mut self) -> Result<(), RelayError> {
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
            let Some(step) = self.store.relay(&withheld, BATCH_MAX, publish).await? else { break };
            self.bus.pulse().beat(COMPONENT);
            if step.sent + step.left == 0 || !self.bus.is_connected() {
                break;
            }
            if step.sent == 0 {
                self.look_at_streams().await?;
            }
        }
        Ok(())
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
