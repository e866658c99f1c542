//! When an event is sent again, and when it is given up. Pure.

use std::time::Duration;

/// The pause after the first attempt; it doubles with each.
const FIRST: Duration = Duration::from_secs(2);
/// After an outage a receiver waits no longer than this for what it missed.
const LONGEST: Duration = Duration::from_secs(300);

/// What becomes of an event that the receiver did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is sent again after this.
    Again(Duration),
    GiveUp,
}

/// After so many attempts. What counts is how long it was paused for in all: an event that is old
/// when it is sent first has the same time as any other.
pub(crate) fn next(attempts: u64, give_up_after: Duration) -> Next {
    let before = paused_before(attempts, give_up_after);
    if before >= give_up_after {
        return Next::GiveUp;
    }
    // The last attempt is made when the time is over, and no later.
    let left = give_up_after - before;
    Next::Again(pause_after(attempts).min(left).max(Duration::from_secs(1)))
}

/// All pauses between so many attempts; counted until they reach `most`.
fn paused_before(attempts: u64, most: Duration) -> Duration {
    let (mut paused, mut attempt) = (Duration::ZERO, 1);
    while attempt < attempts && paused < most {
        paused = paused.saturating_add(pause_after(attempt));
        attempt += 1;
    }
    paused
}

fn pause_after(attempts: u64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(31);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    #[test]
    fn pauses_grow_until_their_sum_is_the_time_to_give_up() {
        let again = |secs| Next::Again(Duration::from_secs(secs));
        for (attempts, give_up_after, expected) in [
            (0, DAY, again(2)),
            (1, DAY, again(2)),
            (2, DAY, again(4)),
            (5, DAY, again(32)),
            (8, DAY, again(256)),
            // The sum of the first eight pauses is 510 s, and all others are of 300 s.
            (9, DAY, again(300)),
            (40, DAY, again(300)),
            (295, DAY, again(90)),
            (296, DAY, Next::GiveUp),
            (u64::MAX, DAY, Next::GiveUp),
            (1, 1, again(1)),
            (2, 1, Next::GiveUp),
            (2, 3, again(1)),
            (3, 3, Next::GiveUp),
            (1, 0, Next::GiveUp),
        ] {
            let next = next(attempts, Duration::from_secs(give_up_after));
            assert_eq!(next, expected, "{attempts} attempts, {give_up_after} s");
        }
    }
}
