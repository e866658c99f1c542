//! The lanes of refreshes and their order of precedence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How urgent a refresh is; the last token of the subject.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Somebody waits for it.
    Now,
    /// Recent titles, which change often.
    Fresh,
    /// The long tail.
    Bulk,
}

impl Lane {
    /// Every lane in the order of precedence: the most urgent first.
    pub const ALL: [Self; 3] = [Self::Now, Self::Fresh, Self::Bulk];

    /// The word used in subjects and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Fresh => "fresh",
            Self::Bulk => "bulk",
        }
    }

    /// `refresh_item.priority`: larger goes first, in the order of [`Lane::ALL`].
    #[must_use]
    pub const fn priority(self) -> i32 {
        match self {
            Self::Now => 100,
            Self::Fresh => 50,
            Self::Bulk => 10,
        }
    }
}

impl std::str::FromStr for Lane {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|lane| lane.as_str() == text)
            .ok_or_else(|| format!("unknown lane '{text}': use now, fresh or bulk"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_in_the_order_of_precedence() {
        assert!(Lane::ALL.is_sorted_by_key(|lane| -lane.priority()));
    }
}
