//! Counts titles by freshness band and what else grows, so that no look has to: a second after the
//! last count, or a hundred times what that took.
//!
//! Writes `status_sample` and `freshness_sample`. Whichever process comes first counts, the others
//! find its sample.

use std::time::Duration;

use store::{Store, StoreError};

use crate::repeated::Repeated;

/// Between two looks at whether a sample is due, at least.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Another process may have ended, or a count may be cheap again: looked at all the same.
const PAUSE_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Sampler;

impl Repeated for Sampler {
    const NAME: &'static str = "sampler";
    const FAILED: &'static str = "titles are not counted now; looks show the last count";

    async fn turn(store: &Store) -> Result<Duration, StoreError> {
        Ok(store.take_sample().await?.clamp(PAUSE_MIN, PAUSE_MAX))
    }
}
