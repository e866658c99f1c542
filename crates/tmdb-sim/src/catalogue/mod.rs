//! The generated catalogue: which ids exist, in which order lists show them, what a movie looks
//! like.
//!
//! Nothing is stored, so memory does not grow with the catalogue: ids are arithmetic (`ids`), list
//! orders are permutations computed on demand (`random`), and a movie's values follow from the seed
//! and its id (`movie`).

mod drift;
mod ids;
mod known;
mod movie;
mod random;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use ids::{Catalogue, NOW_PLAYING_DAYS, UPCOMING_DAYS};
pub(crate) use known::{KNOWN, find as find_known};
pub(crate) use movie::{Imdb, Movie, image_path};
pub(crate) use random::{Random, Shuffle, mix};
pub(crate) use words::{
    COUNTRIES, Country, FIRST_NAMES, JOBS, Job, KEYWORDS, LANGUAGES, LAST_NAMES, Language, OUTCOMES,
};
