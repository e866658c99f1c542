//! A movie as lists show it.

// Writing to a String cannot fail: the results of `write!` are ignored.
use std::fmt::Write as _;

use super::json;
use crate::catalogue::Movie;

/// Appends a list row; `media` adds the `media_type` that trending and recommendations carry.
pub(crate) fn row(out: &mut String, movie: &Movie, media: bool) {
    out.push_str("{\"adult\":false");
    json::optional_field(out, "backdrop_path", movie.backdrop.as_deref());
    out.push_str(",\"genre_ids\":");
    json::list(out, &movie.genres, |out, genre| {
        let _ = write!(out, "{}", genre.id);
    });
    let _ = write!(out, ",\"id\":{}", movie.id);
    if media {
        out.push_str(",\"media_type\":\"movie\"");
    }
    json::text_field(out, "original_language", movie.language.code);
    json::text_field(out, "original_title", &movie.original_title);
    json::text_field(out, "overview", &movie.overview);
    let _ = write!(out, ",\"popularity\":{:?}", movie.popularity);
    json::optional_field(out, "poster_path", movie.poster.as_deref());
    json::text_field(
        out,
        "release_date",
        &movie.release_date.map(|date| date.to_string()).unwrap_or_default(),
    );
    json::text_field(out, "title", &movie.title);
    let _ = write!(
        out,
        ",\"softcore\":false,\"video\":{},\"vote_average\":{:?},\"vote_count\":{}}}",
        movie.video, movie.vote_average, movie.vote_count
    );
}
