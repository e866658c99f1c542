//! From a mapped movie to the columns of `works_meta`: image addresses, display texts.

use serde_json::{Value, json};

use crate::Movie;

const IMAGES: &str = "https://image.tmdb.org/t/p";
/// Longest `overview_short`, in characters.
const OVERVIEW_SHORT_MAX_CHARS: usize = 150;

/// Address of an image of the given size (`w154`, `w342`, `w500`, `w780`, `w1280`, `original`).
pub(crate) fn image(path: Option<&str>, size: &str) -> Option<String> {
    path.map(|p| format!("{IMAGES}/{size}{p}"))
}

/// "2h 16m", "45m".
pub(crate) fn runtime_display(minutes: Option<i32>) -> Option<String> {
    minutes.map(|m| if m >= 60 { format!("{}h {}m", m / 60, m % 60) } else { format!("{m}m") })
}

/// At most [`OVERVIEW_SHORT_MAX_CHARS`] characters, cut at a word.
pub(crate) fn overview_short(overview: Option<&str>) -> Option<String> {
    let text = overview?;
    if text.chars().count() <= OVERVIEW_SHORT_MAX_CHARS {
        return Some(text.to_owned());
    }
    let head: String = text.chars().take(OVERVIEW_SHORT_MAX_CHARS - 1).collect();
    let cut = head
        .rfind(char::is_whitespace)
        .and_then(|at| head.get(..at))
        .filter(|c| !c.is_empty())
        .unwrap_or(&head);
    Some(format!("{}…", cut.trim_end_matches([' ', ',', '.', ';', ':'])))
}

/// The row of `works_meta` as JSON; keys are its columns.
#[must_use]
pub fn meta(movie: &Movie) -> Value {
    let poster = |size| image(movie.poster_path.as_deref(), size);
    let backdrop = |size| image(movie.backdrop_path.as_deref(), size);
    json!({
        "runtime_minutes": movie.runtime_minutes,
        "runtime_display": runtime_display(movie.runtime_minutes),
        "tagline": movie.tagline,
        "overview": movie.overview,
        "overview_short": overview_short(movie.overview.as_deref()),
        "genres": movie.genres,
        "certification": movie.certification,
        "poster_url_small": poster("w154"),
        "poster_url_medium": poster("w342"),
        "poster_url_large": poster("w500"),
        "poster_url_original": poster("original"),
        "backdrop_url": backdrop("w1280"),
        "backdrop_url_mobile": backdrop("w780"),
        "trailer_youtube_id": movie.trailer_youtube_id,
        "cast_members": movie.cast_members,
        "crew_members": movie.crew_members,
        "keywords": movie.keywords,
        "streaming": movie.streaming,
        "original_language": movie.original_language,
        "spoken_languages": movie.spoken_languages,
        "production_companies": movie.production_companies,
        "production_countries": movie.production_countries,
        "budget": movie.budget,
        "revenue_worldwide": movie.revenue_worldwide,
        "collection": movie.collection,
        "trailers": movie.trailers,
        "homepage": movie.homepage,
        "extras": movie.extras,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_for_people() {
        assert_eq!(runtime_display(Some(136)).unwrap(), "2h 16m");
        assert_eq!(runtime_display(Some(45)).unwrap(), "45m");
        assert_eq!(overview_short(Some("short")).unwrap(), "short");
        let long = overview_short(Some(&"żółw ".repeat(60))).unwrap();
        assert!(
            long.chars().count() <= OVERVIEW_SHORT_MAX_CHARS && long.ends_with("żółw…"),
            "{long}"
        );
        let one_word = overview_short(Some(&"長".repeat(300))).unwrap();
        assert_eq!(one_word.chars().count(), OVERVIEW_SHORT_MAX_CHARS);
        assert_eq!(image(Some("/a.jpg"), "w154").unwrap(), "https://image.tmdb.org/t/p/w154/a.jpg");
    }
}
