//! When an event is sent again, and when it is given up. Pure.

use std::time::Duration;

/// The pause after the first attempt; it doubles with each.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(3_600);

/// What becomes of an event that the receiver did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is sent again after this.
    Again(Duration),
    GiveUp,
}

/// After so many attempts, so long after the event was stored.
pub(crate) fn next(attempts: u64, age: Duration, give_up_after: Duration) -> Next {
    if age >= give_up_after {
        return Next::GiveUp;
    }
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(31);
    let pause = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    // The last attempt is made when the time is over, and not an hour later.
    Next::Again(pause.min(give_up_after - age).max(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_the_time_is_over() {
        let day = Duration::from_secs(86_400);
        for (attempts, age, expected) in [
            (1, 0, Next::Again(Duration::from_secs(2))),
            (2, 2, Next::Again(Duration::from_secs(4))),
            (5, 30, Next::Again(Duration::from_secs(32))),
            (40, 40_000, Next::Again(LONGEST)),
            (40, 86_390, Next::Again(Duration::from_secs(10))),
            (41, 86_400, Next::GiveUp),
        ] {
            assert_eq!(next(attempts, Duration::from_secs(age), day), expected, "{attempts}");
        }
    }
}
