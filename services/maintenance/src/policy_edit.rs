//! Applies an edit of the freshness policy to the due times. Woken by its own interval: whoever
//! edits `staleness_policy`, and however, only leaves a note.
//!
//! In batches, so that no refresh waits for it for long. Several processes take turns.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use store::Store;
use tracing::{info, warn};

/// Between two looks. Without an edit a look reads one row.
const EVERY: Duration = Duration::from_secs(2);

struct ApplyPolicy;

/// Time for the next look.
#[derive(Debug)]
struct Look;

/// The child that applies edits of the policy.
pub(crate) fn child(store: Store) -> ChildSpec {
    ChildSpec::actor("policy", || ApplyPolicy, store).serving()
}

impl Actor for ApplyPolicy {
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
