//! Applies what changes beside us: the app's own works, the freshness policy, and the age of
//! titles. Triggers only leave notes, so that nobody's statement waits for us.
//!
//! In batches, so that no refresh waits for it for long.

use std::time::Duration;

use store::{Store, StoreError};
use tracing::{debug, info};

use crate::repeated::Repeated;

/// Between two looks. Without an edit a look reads two indexes.
const EVERY: Duration = Duration::from_millis(500);

pub(crate) struct Edits;

impl Repeated for Edits {
    const NAME: &'static str = "edits";
    const FAILED: &'static str = "edits of works and of the policy wait for the next look";

    async fn turn(store: &Store) -> Result<Duration, StoreError> {
        let edits = store.apply_work_edits().await?;
        if edits > 0 {
            debug!(edits, "edits of the app's works are applied");
        }
        let batches = store.apply_policy().await?;
        if batches > 0 {
            info!(batches, "an edit of the freshness policy is applied");
        }
        store.move_bands().await?;
        Ok(EVERY)
    }
}
