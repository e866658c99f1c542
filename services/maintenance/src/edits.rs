//! Applies what is edited beside us: the app's own works, and the freshness policy. Woken by its
//! own interval: triggers only leave notes, so that nobody's statement waits for us.
//!
//! In batches, so that no refresh waits for it for long. Several processes take turns.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use store::Store;
use tracing::{debug, info, warn};

/// Between two looks. Without an edit a look reads two indexes.
const EVERY: Duration = Duration::from_millis(500);

struct ApplyEdits;

/// Time for the next look.
#[derive(Debug)]
struct Look;

/// The child that applies edits.
pub(crate) fn child(store: Store) -> ChildSpec {
    ChildSpec::actor("edits", || ApplyEdits, store).serving()
}

impl Actor for ApplyEdits {
    type Msg = Look;
    type State = Store;
    type Arguments = Store;

    async fn pre_start(
        &self,
        myself: ActorRef<Look>,
        store: Store,
    ) -> Result<Store, ActorProcessingErr> {
        myself.send_interval(EVERY, || Look);
        Ok(store)
    }

    async fn handle(
        &self,
        _: ActorRef<Look>,
        Look: Look,
        store: &mut Store,
    ) -> Result<(), ActorProcessingErr> {
        match store.apply_work_edits().await {
            Ok(0) => {}
            Ok(edits) => debug!(edits, "edits of the app's works are applied"),
            Err(e) => {
                let error = runtime::chain(&e);
                warn!(error, "edits of the app's works wait for the next look");
            }
        }
        match store.apply_policy().await {
            Ok(0) => {}
            Ok(batches) => info!(batches, "an edit of the freshness policy is applied"),
            Err(e) => {
                let error = runtime::chain(&e);
                warn!(error, "an edit of the freshness policy waits for the next look");
            }
        }
        Ok(())
    }
}
