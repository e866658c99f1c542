//! Why a message became a dead letter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A short code to group dead letters by: the column `dead_letter.reason` and the field `reason` of
/// the event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The payload does not decode, or does not fit what it is for.
    InvalidPayload,
    /// The client library cannot read the message's headers.
    UnreadableHeaders,
    /// Only movies of the catalogue can be stale.
    NotInCatalogue,
    /// TMDB does not have the movie.
    NotFound,
    /// TMDB refused the request, or its answer is too large.
    UpstreamRefused,
    /// The run has ended.
    RunIsOver,
    /// The run was cancelled.
    RunCancelled,
    /// The last retry failed.
    RetriesExhausted,
    /// The process died several times while it worked on this message alone.
    Poison,
    /// The server does not deliver it any more (`max_deliver`).
    MaxDeliver,
    /// An event of the outbox that no stream takes.
    NotPublishable,
    /// The receiver of a webhook did not take an event.
    NotTaken,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::InvalidPayload,
        Self::UnreadableHeaders,
        Self::NotInCatalogue,
        Self::NotFound,
        Self::UpstreamRefused,
        Self::RunIsOver,
        Self::RunCancelled,
        Self::RetriesExhausted,
        Self::Poison,
        Self::MaxDeliver,
        Self::NotPublishable,
        Self::NotTaken,
    ];

    /// The code as it stands in tables and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidPayload => "invalid-payload",
            Self::UnreadableHeaders => "unreadable-headers",
            Self::NotInCatalogue => "not-in-catalogue",
            Self::NotFound => "not-found",
            Self::UpstreamRefused => "upstream-refused",
            Self::RunIsOver => "run-is-over",
            Self::RunCancelled => "run-cancelled",
            Self::RetriesExhausted => "retries-exhausted",
            Self::Poison => "poison",
            Self::MaxDeliver => "max-deliver",
            Self::NotPublishable => "not-publishable",
            Self::NotTaken => "not-taken",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Reason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| format!("unknown reason '{text}'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_what_serde_writes() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
    }
}
