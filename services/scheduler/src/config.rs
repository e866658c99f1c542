//! The scheduler's spans.

use std::time::Duration;

/// Settings of the service.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// The sweep behind the alarm.
    pub sweep_every: Duration,
    /// A nominal time that was missed by more than this is not made up for.
    pub catch_up_window: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { sweep_every: Duration::from_secs(1), catch_up_window: Duration::from_secs(3_600) }
    }
}
