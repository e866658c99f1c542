//! Settings that may change while running: how fast answers come, how many, and how old they are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::catalogue::Random;

/// Longest latency, whatever is set.
const MAX_LATENCY_SECS: f64 = 600.0;

/// How the simulator answers where nothing goes wrong.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Mean of the exponentially distributed part of the latency.
    pub(crate) latency_ms: f64,
    /// Latency that every answer has besides.
    pub(crate) latency_min_ms: f64,
    /// Share of answers that are slow, 0 to 1.
    pub(crate) slow_share: f64,
    /// What a slow answer takes besides.
    pub(crate) slow_ms: f64,
    /// Requests a second, 0 for no limit.
    pub(crate) rate_limit: u32,
    /// Whether 429 carries `Retry-After`.
    pub(crate) retry_after: bool,
    /// Whether 429 has the body of the years to 2019, which lacks `success`.
    pub(crate) old_429_body: bool,
    /// Seconds of the simulator's clock for which details stay as they were before a change; 0 for
    /// none.
    pub(crate) cache_secs: u32,
}

impl Settings {
    /// The latency of one answer.
    pub(crate) fn latency(&self, random: &mut Random) -> Duration {
        let factor = (-(1.0 - random.unit()).ln()).min(10.0);
        let slow_ms = if random.unit() < self.slow_share { self.slow_ms } else { 0.0 };
        let total_ms = self.latency_min_ms + self.latency_ms * factor + slow_ms;
        Duration::try_from_secs_f64((total_ms / 1_000.0).min(MAX_LATENCY_SECS)).unwrap_or_default()
    }
}
