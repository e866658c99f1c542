//! What becomes of a message whose work failed: decided by the error's type, in one place.

use std::time::Duration;

use proto::Reason;

/// What becomes of a message after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Try again, after this long or after the backoff for the try. Burns a try.
    Retry {
        /// The pause that was asked for.
        after: Option<Duration>,
    },
    /// Try again later; the work was not at fault, so no try is burnt.
    Wait {
        /// How long at least.
        after: Duration,
    },
    /// Dead letter at once, under this reason code.
    Reject(Reason),
    /// Upstream does not have it; whoever holds the movie decides what that means.
    Missing,
}

/// An error that knows its fate.
pub trait Classify: std::error::Error + Send + Sync + 'static {
    /// What becomes of the message. No `_` arm: a new variant chooses its fate before it compiles.
    fn fate(&self) -> Fate;
}

/// Retries after the first try (the old jobs' number).
pub const MAX_RETRIES: i32 = 3;

const BACKOFF_BASE: Duration = Duration::from_secs(2);
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// Pause before retry number `retry` (from 1): exponential with full jitter. `entropy` is any
/// number that differs between messages, 0 to `u64::MAX`; it takes the place of a random source, so
/// that a test can repeat it.
#[must_use]
pub fn backoff(retry: u32, entropy: u64) -> Duration {
    let ceiling = BACKOFF_BASE.saturating_mul(2_u32.saturating_pow(retry.min(16))).min(BACKOFF_MAX);
    let share = f64::from(u32::try_from(entropy >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    ceiling.mul_f64(share).max(Duration::from_millis(200))
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
