//! The handle tests and the demo steer a running simulator with.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::faults::Faults;
use crate::state::State;
use crate::stats::Stats;

/// Steers and observes a running simulator; clones share one state with the HTTP interface below `/_sim`.
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) state: Arc<State>,
}

impl Control {
    /// The counters so far.
    pub fn stats(&self) -> Stats {
        self.state.recorder.snapshot()
    }

    /// Sets the counters to zero.
    pub fn reset_stats(&self) {
        self.state.recorder.reset();
    }

    /// Lays a patch over the body of a movie, in details and list rows: objects are merged, any other value replaces
    /// the one below, null included (the upstream sends null, it does not leave keys out).
    pub fn edit(&self, id: u64, patch: Value) {
        self.state.edit(id, patch);
    }

    /// Takes a movie away: 404, and no list shows it.
    pub fn delete(&self, id: u64) {
        self.state.set_deleted(id, true);
    }

    /// Brings a deleted movie back.
    pub fn restore(&self, id: u64) {
        self.state.set_deleted(id, false);
    }

    /// Replaces the faults.
    pub fn fail(&self, faults: Faults) {
        self.state.set_faults(faults);
    }

    /// Sets the mean added latency.
    pub fn set_latency(&self, latency: Duration) {
        self.state.change_settings(|settings| settings.latency_ms = latency.as_secs_f64() * 1_000.0);
    }

    /// Sets the limit of requests in any second, 0 for none, and whether a refusal carries `Retry-After`.
    pub fn set_rate_limit(&self, rate_limit: u32, retry_after: bool) {
        self.state.change_settings(|settings| {
            settings.rate_limit = rate_limit;
            settings.retry_after = retry_after;
        });
    }
}
