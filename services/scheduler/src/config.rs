//! The scheduler's spans.

use std::time::Duration;

/// Settings of the service.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// The sweep behind the alarm.
    pub sweep_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { sweep_every: Duration::from_secs(1) }
    }
}
