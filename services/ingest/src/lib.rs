//! Brings new movies into the catalogue, and reads TMDB's change feed. Woken by ticks of actions
//! `ingest` and `feed`, `movies.ingest.list`, `movies.ingest.movie` and `movies.ingest.listed`.
//!
//! A list is read first and written in one transaction: items of the run and one message per new
//! title. Each title is then fetched and stored on its own; the last one closes the run.

mod error;
mod feed;
mod list;
mod lists;
mod movie;
mod tick;

use std::sync::Arc;

use bus::{Bus, ConsumerArgs, consumer_child};
use runtime::{ChildSpec, RefreshMode};
use store::{DatabaseClock, Store, Writer, writer_child};
use tokio_util::sync::CancellationToken;

pub use error::IngestError;
use feed::Feed;
use list::List;
use lists::Lists;
use movie::Movie;
use tick::ListByTick;

/// Movies that are fetched or stored at once.
const MOVIES_IN_FLIGHT: usize = 64;
/// Lists that are read at once.
const LISTS_IN_FLIGHT: usize = 4;
/// The cancel has settled everything that the message was for.
const CANCELLED: &str = "its run was cancelled";

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
    let lists =
        Lists { store: tools.store.clone(), tmdb: tools.tmdb.clone(), clock: tools.clock.clone() };
    let consumer = |permits| ConsumerArgs {
        bus: tools.bus.clone(),
        ledger: Arc::new(tools.store.clone()),
        permits,
        drain: tools.drain.clone(),
    };
    let movie = |durable| Movie { durable, lists: lists.clone(), writer: writer.clone() };
    let (by_hand, listed) = (movie("ingest-movie"), movie("ingest-listed"));
    let mut children = vec![writer_child(tools.store.clone(), writer.clone())];
    children.extend([
        consumer_child(by_hand, consumer(MOVIES_IN_FLIGHT)),
        consumer_child(listed, consumer(MOVIES_IN_FLIGHT)),
        consumer_child(List(lists.clone()), consumer(LISTS_IN_FLIGHT)),
        consumer_child(Feed { lists: lists.clone(), mode }, consumer(1)),
        consumer_child(ListByTick(lists), consumer(LISTS_IN_FLIGHT)),
    ]);
    children
}
