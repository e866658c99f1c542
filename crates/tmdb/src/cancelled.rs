//! Runs that nobody wants any more: their calls are turned away before they are made.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
};

/// The ids of cancelled runs; whoever knows them sets them. Cheap to clone, shared by all clones.
#[derive(Debug, Clone, Default)]
pub struct CancelledRuns(Arc<RwLock<HashSet<String>>>);

impl CancelledRuns {
    /// These and no others.
    pub fn set(&self, runs: impl IntoIterator<Item = String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = runs.into_iter().collect();
    }

    /// Whether the run is one of them.
    #[must_use]
    pub fn contains(&self, run_id: Option<&str>) -> bool {
        run_id.is_some_and(|id| self.0.read().unwrap_or_else(PoisonError::into_inner).contains(id))
    }
}
