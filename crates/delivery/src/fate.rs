//! What becomes of a message whose work failed: decided by the error's type, in one place.

use std::time::Duration;

use proto::Reason;

/// What becomes of a message after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Try again, after this long or after the backoff. Burns an attempt.
    Retry { after: Option<Duration> },
    /// Try again after this long at least; the work was not at fault, so no attempt is burnt.
    Wait { after: Duration },
    /// As `Wait`, and others may do well meanwhile: they go on, until several in a row wait so.
    WaitAlone { after: Duration },
    /// Dead letter at once, under this reason.
    Reject(Reason),
    /// Upstream does not have it; whoever holds the movie decides what that means.
    Missing,
}

/// An error that knows its fate.
pub trait Classify: std::error::Error + Send + Sync + 'static {
    /// What becomes of the message. No `_` arm: a new variant chooses its fate before it compiles.
    fn fate(&self) -> Fate;
}
