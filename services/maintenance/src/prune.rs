//! Removes what delivery does not need any more: events that were published long ago, inbox rows
//! whose messages no stream can deliver again. Woken by its own interval, for these tables grow
//! with every movie and not with every day.
//!
//! In small steps, so that no lock lasts long. Several processes that do it at once find less to
//! remove each.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use store::Store;
use tracing::warn;

/// Between two steps.
const EVERY: Duration = Duration::from_secs(60);

struct Prune;

struct State {
    store: Store,
    /// The subjects of the streams of work.
    work: Vec<String>,
}

/// Time for the next step.
#[derive(Debug)]
struct Step;

/// The child that prunes.
pub(crate) fn child(store: Store) -> ChildSpec {
    ChildSpec::actor("prune", || Prune, store).serving()
}

impl Actor for Prune {
    type Msg = Step;
    type State = State;
    type Arguments = Store;

    async fn pre_start(
        &self,
        myself: ActorRef<Step>,
        store: Store,
    ) -> Result<State, ActorProcessingErr> {
        let work = bus::topology::subjects_of_work()?;
        myself.send_interval(EVERY, || Step);
        Ok(State { store, work })
    }

    async fn handle(
        &self,
        _: ActorRef<Step>,
        Step: Step,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if let Err(e) = state.store.prune(&state.work).await {
            warn!(error = %runtime::chain(&e), "old rows were not removed; the next step does it");
        }
        Ok(())
    }
}
