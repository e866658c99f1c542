//! How often an attempt is retried, and how long a retry waits.

use std::time::Duration;

/// Retries after the first attempt (the old jobs' number).
pub const MAX_RETRIES: i32 = 3;

const BASE: Duration = Duration::from_secs(2);
const MAX: Duration = Duration::from_secs(300);
const MIN: Duration = Duration::from_millis(200);

/// Pause before retry number `retry` (from 1): exponential with full jitter. `entropy` is any
/// number that differs between messages, 0 to `u64::MAX`; it takes the place of a random source, so
/// that a test can repeat it.
#[must_use]
pub fn backoff(retry: u32, entropy: u64) -> Duration {
    let ceiling = BASE.saturating_mul(2_u32.saturating_pow(retry.min(16))).min(MAX);
    let share = f64::from(u32::try_from(entropy >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    ceiling.mul_f64(share).max(MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_and_is_capped() {
        for (retry, ceiling_secs) in [(1, 4), (2, 8), (3, 16), (20, 300)] {
            assert_eq!(
                backoff(retry, u64::MAX),
                Duration::from_secs(ceiling_secs),
                "retry {retry}"
            );
            assert_eq!(backoff(retry, 0), Duration::from_millis(200));
        }
    }
}
