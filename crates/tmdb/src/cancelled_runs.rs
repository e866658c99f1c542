//! Cancelled runs: their calls are refused before they are made.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
};

/// The ids of cancelled runs, set by the owner of the client. Cheap to clone; clones share one set.
#[derive(Debug, Clone, Default)]
pub struct CancelledRuns(Arc<RwLock<HashSet<String>>>);

impl CancelledRuns {
    /// Replaces the set.
    pub fn set(&self, runs: impl IntoIterator<Item = String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = runs.into_iter().collect();
    }

    /// Whether this run is cancelled.
    #[must_use]
    pub fn contains(&self, run_id: Option<&str>) -> bool {
        run_id.is_some_and(|id| self.0.read().unwrap_or_else(PoisonError::into_inner).contains(id))
    }
}
