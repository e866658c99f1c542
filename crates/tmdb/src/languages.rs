//! The languages in which videos are asked for.
//!
//! TMDB leaves out every video whose language is not named in the request. The original language of
//! a movie is known only from the answer, and a second request would double the calls: so the
//! languages in which most movies are made are all named, and the mapping keeps those that the app
//! shows.

/// ISO 639-1, the languages of most titles at TMDB first; `null` (TMDB's word) is none.
const ORIGINAL: [&str; 44] = [
    "en", "fr", "es", "de", "ja", "pt", "it", "zh", "ko", "ru", "hi", "ta", "te", "ml", "kn", "bn",
    "mr", "tr", "pl", "sv", "da", "no", "fi", "nl", "cs", "hu", "el", "ro", "uk", "sr", "hr", "bg",
    "fa", "ar", "he", "th", "id", "vi", "tl", "cn", "ms", "et", "is", "ka",
];

/// The value of `include_video_language`: the configured language, the original ones, none.
pub(crate) fn video_languages(configured: &str) -> String {
    let others = ORIGINAL.into_iter().filter(|language| *language != configured);
    let all: Vec<&str> = [configured].into_iter().chain(others).chain(["null"]).collect();
    all.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configured_language_the_original_ones_and_none_are_named_once() {
        let named = video_languages("sw");
        assert!(named.starts_with("sw,en,") && named.ends_with(",null"), "{named}");
        assert!(video_languages("de").starts_with("de,en,fr,es,ja,"), "{}", video_languages("de"));
    }
}
