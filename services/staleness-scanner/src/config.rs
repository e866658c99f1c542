//! How the service queues.

use runtime::RefreshMode;

/// Settings of the service.
#[derive(Debug, Clone, Copy, Default)]
pub struct Config {
    /// In `PerTick` mode the events are left to `refresh_worker`.
    pub mode: RefreshMode,
}
