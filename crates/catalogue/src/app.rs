//! A movie in the shapes that the app's readers decode: its row of `works_meta`, its card, its
//! score, its similar movies.
//!
//! The readers decode strictly: a key that is missing or null is fine where it is optional, a wrong
//! type fails the whole list of cards. So nothing reaches a row that was not checked here: people
//! without an id or a name, videos without a key, offers without a provider are left out.
//!
//! The rows may hold values that only the app makes (copies of images in its own storage, stills,
//! thumbnails). [`AppRow`] carries them from the rows before the save into the rows after it. What
//! this program wrote earlier is TMDB's, and follows TMDB.

mod card;
mod details;
mod images;
mod json;
mod people;
mod row;
mod score;
mod similar;
mod stored;
mod streaming;
#[cfg(test)]
mod tests;
mod texts;
mod trailers;

pub use card::{Card, Rendered, card, card_over};
pub use details::{SCHEMA_VERSION, details};
pub use row::{AppRow, RowDifference};
pub use score::Score;
pub use similar::{SIMILAR_CONFIDENCE, SIMILAR_MAX, SIMILAR_SOURCE, SimilarRow};
