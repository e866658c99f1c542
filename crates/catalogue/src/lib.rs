//! What a movie is: merging an answer with what is stored, the fingerprint of its content, what
//! changed between two states, and the texts that the app shows.
//!
//! Pure: `tmdb` maps answers to a [`Movie`], `store` keeps it.

mod card;
mod detail_columns;
mod diff;
mod movie;

pub use card::cards;
pub use detail_columns::meta;
pub use diff::diff;
pub use movie::{Movie, Rating, SimilarMovie};
