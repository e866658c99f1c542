//! What a movie is: TMDB's answer read and mapped, merged with what is stored, its fingerprint,
//! what changed between two states, and the rows and cards that the app reads.
//!
//! Pure: `tmdb` fetches a [`Look`], `store` keeps it. An answer is typed and borrows its texts from
//! the body (`answer`); a [`Movie`] is what it says, with one name a field; what the app's tables
//! hold has the app's shapes, and [`app`] is the only place that knows them.

mod answer;
pub mod app;
mod diff;
mod document;
mod fingerprint;
mod look;
mod map;
mod merge;
mod movie;
mod parts;
mod remap;

pub use answer::{AnswerError, PARTS};
pub use app::{AppRow, Card, Rendered, RowDifference, Score, card, card_over, details};
pub use diff::{diff, diff_of};
pub use document::{UnpackError, pack, unpack};
pub use look::{Body, Facts, Look, Merged};
pub use map::{MAPPING_VERSION, MapOptions, is_imdb_id};
pub use movie::{Movie, Prints, Rating};
pub use parts::{
    AlternativeTitle, CastMember, Collection, Company, CountryReleases, CrewMember, ExternalIds,
    Id, Image, Images, Offers, Provider, Release, Text, TranslatedTexts, Translation, Video,
};
pub use remap::{MovieRows, diff_of_rows, remap};
