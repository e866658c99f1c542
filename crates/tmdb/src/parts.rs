//! The one list of the parts of a movie that are asked for.
//!
//! What becomes of each part is in `map`. The simulator renders the same parts: a test of
//! `tmdb-sim` holds it to this list.

/// Asked for with every movie, in one request (TMDB takes at most 20 parts).
pub const PARTS: [&str; 11] = [
    "credits",
    "videos",
    "similar",
    "recommendations",
    "release_dates",
    "images",
    "keywords",
    "watch/providers",
    "external_ids",
    "translations",
    "alternative_titles",
];
