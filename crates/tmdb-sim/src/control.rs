//! The handle tests and the demo steer a running simulator with.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::edits::lay;
use crate::faults::{Fault, Faults};
use crate::settings::Settings;
use crate::state::State;
use crate::stats::Stats;

/// Steers and observes a running simulator; clones share one state with the HTTP interface below
/// `/_sim`.
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
    pub(crate) fn reset_stats(&self) {
        self.state.recorder.reset();
    }

    /// Lays a patch over the body of a movie, in details and list rows: objects are merged, any
    /// other value replaces the one below, null included (the upstream sends null, it does not
    /// leave keys out).
    pub fn edit(&self, id: u64, patch: Value) {
        self.state.edits.edit(id, self.state.clock.now(), patch);
    }

    /// Takes a movie away: 404, and no list shows it.
    pub fn delete(&self, id: u64) {
        self.state.edits.set_deleted(id, self.state.clock.now(), true);
    }

    /// Brings a deleted movie back.
    pub fn restore(&self, id: u64) {
        self.state.edits.set_deleted(id, self.state.clock.now(), false);
    }

    /// Takes a movie away as a duplicate of another: it answers 404 like a deleted one, nothing
    /// points to the survivor, but the survivor has its IMDb id from now on. A movie cannot be
    /// merged into itself: then nothing happens.
    pub fn merge(&self, id: u64, into: u64) {
        if id != into {
            self.state.merge(id, into);
        }
    }

    /// Replaces the faults.
    pub fn fail(&self, faults: Faults) {
        self.state.set_faults(faults);
    }

    /// Resets every request for this long, then serves again; up to a year, and zero ends an outage
    /// at once.
    pub fn outage(&self, window: Duration) {
        self.state.set_outage(window, Fault::Reset);
    }

    /// Answers every request with 503 for this long, otherwise like [`Control::outage`].
    pub(crate) fn outage_503(&self, window: Duration) {
        self.state.set_outage(window, Fault::Unavailable);
    }

    /// Moves the simulator's clock on: popularity and votes drift by its day, lists move by its
    /// hour, change windows and caches follow it. The rate limit, latencies and outages keep to the
    /// machine's clock.
    pub fn advance(&self, by: Duration) {
        self.state.clock.advance(by);
    }

    /// Sets the only accepted credential; without one any non-empty credential will do.
    pub fn set_credential(&self, credential: Option<String>) {
        self.state.set_credential(credential);
    }

    /// Changes the settings that are named, as `/_sim/settings` does, and leaves the others:
    /// `latency_ms`, `latency_min_ms`, `slow_share`, `slow_ms`, `rate_limit`, `retry_after`,
    /// `old_429_body`, `cache_secs`, `credential`.
    ///
    /// # Errors
    /// Where a name is unknown or a value is of the wrong type; then nothing is changed.
    pub fn configure(&self, mut patch: Value) -> Result<(), serde_json::Error> {
        let credential = patch.as_object_mut().and_then(|keys| keys.remove("credential"));
        let credential = credential.map(serde_json::from_value::<Option<String>>).transpose()?;
        let mut settings = serde_json::to_value(self.state.settings())?;
        lay(&mut settings, patch);
        let settings: Settings = serde_json::from_value(settings)?;
        self.state.change_settings(|current| *current = settings);
        if let Some(credential) = credential {
            self.state.set_credential(credential);
        }
        Ok(())
    }

    /// Sets the mean added latency.
    pub fn set_latency(&self, latency: Duration) {
        self.state
            .change_settings(|settings| settings.latency_ms = latency.as_secs_f64() * 1_000.0);
    }
}
