//! Reads stale movies again and stores them. Woken by `movies.stale.<lane>` and by ticks of action
//! `refresh`.
//!
//! A consumer for each lane, so that a full backlog of one holds up no other.

mod error;
mod refresh;
mod sweep;

use std::sync::Arc;

use bus::{Bus, ConsumerArgs, consumer_child};
use proto::Lane;
use runtime::{ChildSpec, RefreshMode};
use store::{DatabaseClock, Store, Writer, writer_child};
use tokio_util::sync::CancellationToken;

pub use error::RefreshError;
use refresh::Refresh;
use sweep::Sweep;

/// Movies of one lane that are fetched or stored at once.
const MOVIES_IN_FLIGHT_PER_LANE: usize = 64;

/// What the service works with.
#[derive(Clone)]
pub struct Tools {
    pub bus: Bus,
    pub store: Store,
    pub tmdb: tmdb::Client,
    pub clock: DatabaseClock,
    /// Cancelled when the service drains.
    pub drain: CancellationToken,
}

/// The children of this service's root.
#[must_use]
pub fn children(tools: &Tools, mode: RefreshMode) -> Vec<ChildSpec> {
    let writer = Writer::default();
    let consumer = |permits| ConsumerArgs {
        bus: tools.bus.clone(),
        ledger: Arc::new(tools.store.clone()),
        permits,
        drain: tools.drain.clone(),
    };
    let lanes = Lane::ALL.map(|lane| {
        let handler = Refresh {
            lane,
            store: tools.store.clone(),
            tmdb: tools.tmdb.clone(),
            writer: writer.clone(),
            clock: tools.clock.clone(),
        };
        consumer_child(handler, consumer(MOVIES_IN_FLIGHT_PER_LANE))
    });
    let sweep = Sweep { store: tools.store.clone(), mode };
    let mut children = vec![writer_child(tools.store.clone(), writer.clone())];
    children.extend(lanes);
    children.push(consumer_child(sweep, consumer(1)));
    children
}
