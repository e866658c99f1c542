//! Applies what is edited beside us: the app's own works, and the freshness policy. Woken by its
//! own interval: triggers only leave notes, so that nobody's statement waits for us.
//!
//! In batches, so that no refresh waits for it for long. Several processes take turns.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use store::{Store, StoreError};
use tracing::{debug, info, warn};

/// Between two looks. Without an edit a look reads two indexes.
const EVERY: Duration = Duration::from_millis(500);
/// Before the next look, when the database did not answer.
const AFTER_A_FAILURE: Duration = Duration::from_secs(5);

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
        myself.cast(Look)?;
        Ok(store)
    }

    async fn handle(
        &self,
        myself: ActorRef<Look>,
        Look: Look,
        store: &mut Store,
    ) -> Result<(), ActorProcessingErr> {
        let pause = match apply(store).await {
            Ok(()) => EVERY,
            Err(e) => {
                let error = runtime::chain(&e);
                warn!(error, "edits of works and of the policy wait for the next look");
                AFTER_A_FAILURE
            }
        };
        // Only after this one: looks never queue up behind a database that is slow.
        myself.send_after(pause, || Look);
        Ok(())
    }
}

async fn apply(store: &Store) -> Result<(), StoreError> {
    let edits = store.apply_work_edits().await?;
    if edits > 0 {
        debug!(edits, "edits of the app's works are applied");
    }
    let batches = store.apply_policy().await?;
    if batches > 0 {
        info!(batches, "an edit of the freshness policy is applied");
    }
    Ok(())
}
