//! The movie that the app's rows tell of: the stored side of a comparison, where this program has
//! not stored the movie itself yet.

use super::{
    images::path_of,
    json::{text, texts, whole},
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
    pub fn movie(&self, base: &Movie) -> Option<Movie> {
        let row = self.details.as_ref()?;
        let words = |name: &str| text(row, name).map(ToOwned::to_owned);
        let path = |names: &[&str]| names.iter().find_map(|name| path_of(text(row, name)?));
        let part = |name: &str| self.column(name);
        Some(Movie {
            runtime_minutes: whole(row, "runtime_minutes").and_then(|n| i32::try_from(n).ok()),
            tagline: words("tagline"),
            overview: words("overview"),
            genres: texts(row, "genres"),
            certification: words("certification"),
            poster_path: path(&["poster_url_original", "poster_url_small"]),
            backdrop_path: path(&["backdrop_url", "backdrop_url_mobile"]),
            trailer_youtube_id: words("trailer_youtube_id"),
            trailers: part("trailers").and_then(trailers::stored),
            cast_members: part("cast_members").and_then(people::stored),
            crew_members: part("crew_members").and_then(people::stored),
            keywords: texts(row, "keywords"),
            streaming: part("streaming").and_then(streaming::stored),
            original_language: words("original_language"),
            spoken_languages: texts(row, "spoken_languages"),
            production_companies: part("production_companies").filter(|v| v.is_array()).cloned(),
            production_countries: texts(row, "production_countries"),
            budget: whole(row, "budget"),
            revenue_worldwide: whole(row, "revenue_worldwide"),
            collection: part("collection").filter(|value| value.is_object()).cloned(),
            extras: None,
            similar: None,
            ..base.clone()
        })
    }
}
