//! From fate and attempts to what becomes of the message.

use std::time::Duration;

use proto::Reason;

use crate::{Attempts, Fate, MAX_RETRIES, backoff};

/// Attempts that died with the process after which a message is a suspect: it then runs alone.
pub const SUSPECT_AFTER: i32 = 2;
/// Attempts that may die with the process while the message ran alone, before it counts as poison.
pub const MAX_CRASHES_ALONE: i32 = 3;

/// So many messages in a row that each wait alone are an outage for all.
pub const ALONE_MAX: u32 = 5;

/// What the other messages of the consumer do while one waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// Pulling pauses for as long.
    WaitToo,
    /// They go on, until [`ALONE_MAX`] in a row wait so.
    GoOn,
}

/// What becomes of a message whose attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nak with this delay; the attempt counts, and this is retry number `retry` (from 1).
    Retry { retry: u32, after: Duration },
    /// Nak with this delay; the attempt is taken back.
    Wait { after: Duration, others: Others },
    /// Write the dead letter, then term.
    DeadLetter(Reason),
}

/// Decides about a failed attempt. `entropy` is any number that differs between messages and
/// attempts (see [`backoff`]).
#[must_use]
pub fn verdict(fate: Fate, attempts: &Attempts, entropy: u64) -> Verdict {
    match fate {
        Fate::Reject(reason) => Verdict::DeadLetter(reason),
        Fate::Missing => Verdict::DeadLetter(Reason::NotFound),
        Fate::Wait { after } => Verdict::Wait { after, others: Others::WaitToo },
        Fate::WaitAlone { after } => Verdict::Wait { after, others: Others::GoOn },
        Fate::Retry { .. } if attempts.failed >= MAX_RETRIES => {
            Verdict::DeadLetter(Reason::RetriesExhausted)
        }
        Fate::Retry { after } => {
            let retry = u32::try_from(attempts.failed + 1).unwrap_or(1);
            Verdict::Retry { retry, after: after.unwrap_or_else(|| backoff(retry, entropy)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn none() -> Attempts {
        Attempts { handled: false, failed: 0, crashed: 0, first_at: OffsetDateTime::UNIX_EPOCH }
    }

    #[test]
    fn every_fate_has_its_verdict() {
        let secs = Duration::from_secs;
        let retry = |after| Fate::Retry { after };
        let wait = |others| Verdict::Wait { after: secs(5), others };
        for (fate, failed, expected) in [
            (retry(None), 0, Verdict::Retry { retry: 1, after: secs(4) }),
            (retry(None), 2, Verdict::Retry { retry: 3, after: secs(16) }),
            (retry(Some(secs(9))), 1, Verdict::Retry { retry: 2, after: secs(9) }),
            (retry(None), 3, Verdict::DeadLetter(Reason::RetriesExhausted)),
            (retry(Some(secs(9))), 4, Verdict::DeadLetter(Reason::RetriesExhausted)),
            // Waiting is without limit, however many attempts failed before.
            (Fate::Wait { after: secs(5) }, 0, wait(Others::WaitToo)),
            (Fate::Wait { after: secs(5) }, 99, wait(Others::WaitToo)),
            (Fate::WaitAlone { after: secs(5) }, 99, wait(Others::GoOn)),
            (Fate::Missing, 0, Verdict::DeadLetter(Reason::NotFound)),
            (Fate::Reject(Reason::RunIsOver), 0, Verdict::DeadLetter(Reason::RunIsOver)),
            (Fate::Reject(Reason::Poison), 3, Verdict::DeadLetter(Reason::Poison)),
        ] {
            let attempts = Attempts { failed, ..none() };
            assert_eq!(verdict(fate, &attempts, u64::MAX), expected, "{fate:?} after {failed}");
        }
    }
}
