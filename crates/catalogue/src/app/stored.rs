//! The movie that the app's rows tell of: the stored side of a comparison, where this program has
//! not stored the movie itself yet.

use super::{
    images::path_of,
    json::{read, text, whole},
    people,
    row::AppRow,
    streaming, trailers,
};
use crate::Movie;

impl AppRow {
    /// The movie as these rows tell it, in TMDB's shapes, so that [`Movie::keep_missing`] protects
    /// an adopted row as it protects our own: parts that the answer lacked, truncated answers, the
    /// certificate. `None` without a row of details.
    ///
    /// What a row of details does not hold is that of `base`, the new answer (title, votes), or
    /// unknown (similar movies, extras). The row holds less than an answer (15 of the cast, key
    /// jobs of the crew): a diff with this movie would say more than what changed.
    #[must_use]
    pub fn movie<'a>(&'a self, base: &Movie<'a>) -> Option<Movie<'a>> {
        let row = self.details.as_ref()?;
        let words = |name: &str| text(row, name).map(Into::into);
        let path = |names: &[&str]| names.iter().find_map(|name| path_of(text(row, name)?));
        let part = |name: &str| self.column(name);
        Some(Movie {
            runtime_minutes: whole(row, "runtime_minutes").and_then(|n| i32::try_from(n).ok()),
            tagline: words("tagline"),
            overview: words("overview"),
            genres: part("genres").and_then(read),
            certification: words("certification"),
            poster_path: path(&["poster_url_original", "poster_url_small"]).map(Into::into),
            backdrop_path: path(&["backdrop_url", "backdrop_url_mobile"]).map(Into::into),
            trailer_youtube_id: words("trailer_youtube_id"),
            trailers: part("trailers").and_then(trailers::stored),
            cast_members: part("cast_members").and_then(people::stored_cast),
            crew_members: part("crew_members").and_then(people::stored_crew),
            keywords: part("keywords").and_then(read),
            streaming: part("streaming").and_then(streaming::stored),
            original_language: words("original_language"),
            spoken_languages: part("spoken_languages").and_then(read),
            production_companies: part("production_companies").and_then(read),
            production_countries: part("production_countries").and_then(read),
            budget: whole(row, "budget"),
            revenue_worldwide: whole(row, "revenue_worldwide"),
            collection: part("collection").and_then(read).map(Some),
            images: None,
            external_ids: None,
            translations: None,
            alternative_titles: None,
            release_dates: None,
            similar: None,
            ..base.clone()
        })
    }
}
