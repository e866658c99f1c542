//! The cards that the app shows: full and short, with an `etag` that changes only when the card
//! does.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    Movie,
    detail_columns::{image, overview_short, runtime_display},
};

/// Cast members on a full card.
const CARD_CAST: usize = 10;

/// Full card, short card and etag (hex SHA-256 of both).
#[must_use]
pub fn cards(work_id: i64, movie: &Movie) -> (Value, Value, String) {
    let year = movie.release_date.as_deref().and_then(|d| d.get(..4)).map(ToOwned::to_owned);
    let score = movie.rating.vote_average.map(|v| (v * 10.0).round());
    let cast: Vec<_> = movie
        .cast_members
        .iter()
        .filter_map(Value::as_array)
        .flatten()
        .take(CARD_CAST)
        .cloned()
        .collect();
    let short = json!({
        "work_id": work_id,
        "tmdb_id": movie.tmdb_id,
        "title": movie.title,
        "year": year,
        "poster_url": image(movie.poster_path.as_deref(), "w342"),
        "score": score,
    });
    let full = json!({
        "work_id": work_id,
        "tmdb_id": movie.tmdb_id,
        "imdb_id": movie.imdb_id,
        "title": movie.title,
        "original_title": movie.original_title,
        "year": year,
        "release_date": movie.release_date,
        "runtime_display": runtime_display(movie.runtime_minutes),
        "tagline": movie.tagline,
        "overview": movie.overview,
        "overview_short": overview_short(movie.overview.as_deref()),
        "genres": movie.genres,
        "certification": movie.certification,
        "poster_url": image(movie.poster_path.as_deref(), "w500"),
        "backdrop_url": image(movie.backdrop_path.as_deref(), "w1280"),
        "trailer_youtube_id": movie.trailer_youtube_id,
        "cast": cast,
        "streaming": movie.streaming,
        "score": score,
    });
    let digest = Sha256::digest(format!("{full}{short}"));
    let etag = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
    (full, short, etag)
}
