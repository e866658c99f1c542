//! The outbox relay: publishes what transactions wrote, in order, until the stream has confirmed it.
//!
//! Runs in every process; one at a time holds the lock and publishes. Between the stream's confirmation and the mark in the
//! database a crash publishes again, with the same message ids.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bus::{Bus, Outgoing};
use futures::{StreamExt, stream};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use store::{Relayed, Store};
use tracing::warn;

const BATCH_MAX: i64 = 512;
const IN_FLIGHT: usize = 128;
/// The look behind the notification.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
const PRUNE_EVERY: Duration = Duration::from_secs(60);

struct Relay;

struct State {
    bus: Bus,
    store: Store,
    pruned: Instant,
}

/// Something may wait in the outbox.
#[derive(Debug)]
struct Look;

/// The child that runs the relay.
pub(crate) fn relay_child(bus: Bus, store: Store) -> ChildSpec {
    ChildSpec::new("outbox-relay", move |root| {
        let args = (bus.clone(), store.clone());
        async move { Actor::spawn_linked(None, Relay, args, root).await.map(|(child, _)| child.get_cell()) }
    })
    .serving()
}

impl Actor for Relay {
    type Msg = Look;
    type State = State;
    type Arguments = (Bus, Store);

    async fn pre_start(&self, myself: ActorRef<Look>, (bus, store): (Bus, Store)) -> Result<State, ActorProcessingErr> {
        myself.send_interval(SWEEP_EVERY, || Look);
        let (listener, listening) = (myself.clone(), store.clone());
        tokio::spawn(async move {
            // Ends with the actor's mailbox or with the connection; the sweep goes on without it.
            while listener.get_status() as u8 <= ractor::ActorStatus::Running as u8 {
                if let Err(e) = listening.listen("mangoes_outbox", || drop(listener.cast(Look))).await {
                    tracing::debug!(error = %runtime::chain(&e), "no notifications from the database for a while; the sweep goes on");
                }
                tokio::time::sleep(SWEEP_EVERY).await;
            }
        });
        Ok(State { bus, store, pruned: Instant::now() })
    }

    async fn handle(&self, _: ActorRef<Look>, _: Look, state: &mut State) -> Result<(), ActorProcessingErr> {
        loop {
            let bus = state.bus.clone();
            match state.store.relay(BATCH_MAX, move |rows| publish(bus, rows)).await {
                Ok(Some(n)) if n > 0 => {}
                Ok(_) => break,
                Err(e) => {
                    warn!(error = %runtime::chain(&e), "the outbox waits for the database");
                    break;
                }
            }
        }
        if state.pruned.elapsed() >= PRUNE_EVERY {
            state.pruned = Instant::now();
            if let Err(e) = state.store.prune().await {
                warn!(error = %runtime::chain(&e), "old rows were not removed");
            }
        }
        Ok(())
    }
}

/// Rows of one key one after the other, keys side by side. Returns what was confirmed.
async fn publish(bus: Bus, rows: Vec<Relayed>) -> Vec<i64> {
    let mut by_key: BTreeMap<String, Vec<Relayed>> = BTreeMap::new();
    for row in rows {
        by_key.entry(row.ordering_key.clone()).or_default().push(row);
    }
    let sent = stream::iter(by_key.into_values()).map(|rows| publish_in_order(bus.clone(), rows)).buffer_unordered(IN_FLIGHT);
    sent.concat().await
}

async fn publish_in_order(bus: Bus, rows: Vec<Relayed>) -> Vec<i64> {
    let mut sent = Vec::with_capacity(rows.len());
    for row in rows {
        let (id, subject) = (row.id, row.subject.clone());
        let message = Outgoing {
            subject: row.subject,
            message_id: row.message_id,
            headers: row.headers,
            payload: row.payload.to_string().into(),
        };
        match bus.publish(message).await {
            Ok(_) => sent.push(id),
            Err(e) => {
                warn!(error = %e, subject, "not published; it stays in the outbox");
                break;
            }
        }
    }
    sent
}
