//! Reads stale movies again and stores them. Woken by `movies.stale.<lane>` and by ticks of action
//! `refresh`.
//!
//! One consumer per lane, so that a full backlog of one holds up no other. Outbox relay and writer
//! are children as well.

mod config;
mod error;
mod handler;

use std::sync::Arc;

use bus::{Bus, ConsumerArgs, consumer_child};
use runtime::{ChildSpec, Clock};
use store::{Store, Writer, writer_child};
use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use error::RefreshError;
use handler::{Bulk, Fresh, Now, RefreshHandler, Refresher, TickHandler};

/// What the service works with.
#[derive(Clone)]
pub struct Tools {
    /// NATS.
    pub bus: Bus,
    /// Postgres.
    pub store: Store,
    /// TMDB.
    pub tmdb: tmdb::Client,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Cancelled when the service drains.
    pub drain: CancellationToken,
}

/// The children of this service's root.
#[must_use]
pub fn children(tools: &Tools, config: &Config) -> Vec<ChildSpec> {
    let writer = Writer::default();
    let refresher = Refresher {
        store: tools.store.clone(),
        tmdb: tools.tmdb.clone(),
        writer: writer.clone(),
        clock: Arc::clone(&tools.clock),
    };
    let lane = config.movies_in_hand_per_lane;
    vec![
        writer_child(tools.store.clone(), writer),
        consumer_child(args(tools, RefreshHandler::<Now>::new(refresher.clone()), lane)),
        consumer_child(args(tools, RefreshHandler::<Fresh>::new(refresher.clone()), lane)),
        consumer_child(args(tools, RefreshHandler::<Bulk>::new(refresher), lane)),
        consumer_child(args(
            tools,
            TickHandler { store: tools.store.clone(), clock: Arc::clone(&tools.clock) },
            1,
        )),
    ]
}

fn args<H>(tools: &Tools, handler: H, permits: usize) -> ConsumerArgs<H, Store> {
    ConsumerArgs {
        bus: tools.bus.clone(),
        ledger: tools.store.clone(),
        handler: Arc::new(handler),
        permits,
        drain: tools.drain.clone(),
    }
}
