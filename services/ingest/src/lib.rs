//! Brings new movies into the catalogue. Woken by ticks of action `ingest`, `movies.ingest.list`
//! and `movies.ingest.movie`.
//!
//! A list is read first and written in one transaction: items of the run and one message per new
//! title. Each title is then fetched and stored on its own; the last one closes the run.

mod config;
mod error;
mod handler;
mod list;

use std::sync::Arc;

use bus::{Bus, ConsumerArgs, consumer_child};
use runtime::{ChildSpec, Clock};
use store::{Store, Writer, writer_child};
use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use error::IngestError;
use handler::{IngestMovieHandler, ListHandler, TickHandler};

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
    let lists = list::Lists {
        store: tools.store.clone(),
        tmdb: tools.tmdb.clone(),
        clock: Arc::clone(&tools.clock),
    };
    let movie = IngestMovieHandler { lists: lists.clone(), writer: writer.clone() };
    vec![
        writer_child(tools.store.clone(), writer),
        consumer_child(args(tools, movie, config.movies_in_hand)),
        consumer_child(args(tools, ListHandler(lists.clone()), config.lists_in_hand)),
        consumer_child(args(tools, TickHandler(lists), config.lists_in_hand)),
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
