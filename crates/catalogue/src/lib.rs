//! What a movie is: merging an answer with what is stored, the fingerprint of its content, what
//! changed between two states, and the rows and cards that the app reads.
//!
//! Pure: `tmdb` maps answers to a [`Movie`], `store` keeps it. A [`Movie`] has TMDB's shapes; what
//! the app's tables hold has the app's, and [`app`] is the only place that knows them.

pub mod app;
mod diff;
mod movie;

pub use app::{AppRow, Card, Score, card, details};
pub use diff::diff;
pub use movie::{Movie, Rating, SimilarMovie};
