//! The rows of `similar_movies` that are this program's own.

use crate::Movie;

/// The `source` of the rows that come from TMDB; rows of any other source are somebody else's.
pub const SIMILAR_SOURCE: &str = "tmdb";
/// Their `confidence`.
pub const SIMILAR_CONFIDENCE: f64 = 0.3;
/// So many of TMDB's similar movies the app keeps.
pub const SIMILAR_MAX: usize = 10;

/// A row of `similar_movies` of the source [`SIMILAR_SOURCE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimilarRow {
    /// TMDB's number, as text.
    pub similar_tmdb_id: String,
    /// Place in the list, from 1.
    pub rank_order: i32,
}

impl Movie<'_> {
    /// The first [`SIMILAR_MAX`] of TMDB's similar movies; what it recommends is not among them.
    /// Empty: TMDB named none or the answer lacked the list, and the stored rows stay.
    #[must_use]
    pub fn similar_of_app(&self) -> Vec<SimilarRow> {
        let ranked = self.similar.iter().flatten().take(SIMILAR_MAX).zip(1..);
        ranked
            .map(|(id, rank_order)| SimilarRow { similar_tmdb_id: id.to_string(), rank_order })
            .collect()
    }
}
