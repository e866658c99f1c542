//! Counts titles by freshness band and what else grows, so that no look has to. Woken when the next
//! sample is due: a second after the last one, or a hundred times what that took.
//!
//! Writes `status_sample` and `freshness_sample`. Several processes take turns: whichever comes
//! first counts, the others find its sample.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use store::Store;
use tracing::warn;

/// Between two looks at whether a sample is due, at least.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Another process may have ended, or a count may be cheap again: looked at all the same.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Before the next attempt, when the database did not answer.
const AFTER_A_FAILURE: Duration = Duration::from_secs(5);

struct Sample;

/// A sample may be due.
#[derive(Debug)]
struct Look;

/// The child that counts.
pub(crate) fn child(store: Store) -> ChildSpec {
    ChildSpec::actor("sampler", || Sample, store).serving()
}

impl Actor for Sample {
    type Msg = Look;
    type State = Store;
    type Arguments = Store;

    async fn pre_start(
        &self,
        myself: ActorRef<Look>,
        store: Store,
    ) -> Result<Store, ActorProcessingErr> {
        myself.cast(Look)?;
        Ok(store)
    }

    async fn handle(
        &self,
        myself: ActorRef<Look>,
        Look: Look,
        store: &mut Store,
    ) -> Result<(), ActorProcessingErr> {
        let pause = match store.take_sample().await {
            Ok(next) => next.clamp(PAUSE_MIN, PAUSE_MAX),
            Err(e) => {
                let error = runtime::chain(&e);
                warn!(error, "titles are not counted now; looks show the last count");
                AFTER_A_FAILURE
            }
        };
        myself.send_after(pause, || Look);
        Ok(())
    }
}
