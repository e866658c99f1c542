//! Removes what delivery does not need any more: events that were published long ago, inbox rows
//! whose messages no stream can deliver again. Woken by its own interval, for these tables grow
//! with every movie and not with every day.
//!
//! In small steps, so that no lock lasts long. Several processes that do it at once find less to
//! remove each.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use store::{DeliveryRetention, Store};
use tracing::warn;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);

const KEEP: DeliveryRetention = DeliveryRetention {
    // To be published again after the loss of a stream.
    published_days: 1,
    unhandled_days: 14,
    // No stream of work keeps a message for longer.
    inbox_days: 14,
};

struct Prune;

struct State {
    store: Store,
    /// The subjects of the streams of work.
    work: Vec<String>,
}

/// Time for the next look.
#[derive(Debug)]
struct Look;

/// The child that prunes.
pub(crate) fn child(store: Store) -> ChildSpec {
    ChildSpec::actor("prune", || Prune, store).serving()
}

impl Actor for Prune {
    type Msg = Look;
    type State = State;
    type Arguments = Store;

    async fn pre_start(
        &self,
        myself: ActorRef<Look>,
        store: Store,
    ) -> Result<State, ActorProcessingErr> {
        let work = bus::topology::subjects_of_work()?;
        myself.send_interval(EVERY, || Look);
        myself.cast(Look)?;
        Ok(State { store, work })
    }

    async fn handle(
        &self,
        _: ActorRef<Look>,
        Look: Look,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        loop {
            match state.store.prune(&state.work, KEEP).await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(e) => {
                    let error = runtime::chain(&e);
                    warn!(error, "old rows were not removed; the next look does it");
                    return Ok(());
                }
            }
        }
    }
}
