//! The score that the app shows, from TMDB's votes.

use serde_json::{Value, json};

use crate::Rating;

/// The app's column of votes is an `integer`.
const VOTES_MAX: i64 = i32::MAX as i64;
/// Half the width of the range around a score, in points of 100.
const MARGIN: f64 = 5.0;

/// A movie's score of 0 to 100, as the app computes it. Where nobody has voted it is 0, as there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// TMDB's average of 0 to 10: `rating_sources.value_raw`.
    pub average: f64,
    /// The score, to one decimal: `value_0_100`, `audience_score`, `ai_score`.
    pub value: f64,
    /// Lower end of the range, at least 0: `ai_score_low`.
    pub low: f64,
    /// Upper end of the range, at most 100: `ai_score_high`.
    pub high: f64,
    /// Number of votes, as far as the app's column can tell.
    pub votes: i64,
}

impl Score {
    /// The score of a rating.
    #[must_use]
    pub fn of(rating: &Rating) -> Self {
        let average = rating.vote_average.unwrap_or(0.0);
        let value = to_one_decimal(average * 10.0);
        Self {
            average,
            value,
            low: to_one_decimal((value - MARGIN).max(0.0)),
            high: to_one_decimal((value + MARGIN).min(100.0)),
            votes: rating.vote_count.min(VOTES_MAX),
        }
    }

    /// `{"tmdb": {"score": 82.2, "votes": 26000}}`, as in `aggregates.source_scores` and the card.
    #[must_use]
    pub fn source_scores(&self) -> Value {
        json!({ "tmdb": { "score": self.value, "votes": self.votes } })
    }
}

/// Binary fractions would show: 8.22 * 10 is 82.2, and not 82.200000000000003.
fn to_one_decimal(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
