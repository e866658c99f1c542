//! A movie's row of `works_meta`.

use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::{
    images::{
        BACKDROP, BACKDROP_MOBILE, POSTER_LARGE, POSTER_MEDIUM, POSTER_ORIGINAL, POSTER_SMALL,
    },
    json::whole,
    people,
    row::AppRow,
    streaming::streaming,
    texts::{overview_short, runtime_display},
    trailers::trailers,
};
use crate::Movie;

/// The version of the shape of `works_meta` that [`details`] writes: what the app's `ingest-movie`
/// compares with. A row of a lower version makes the app read the movie again on each look.
pub const SCHEMA_VERSION: i64 = 4;

/// The row of `works_meta` as JSON. Its keys are the columns that the app's own ingest writes,
/// without `work_id`, `fetched_at` and `updated_at`; other columns are not this program's.
///
/// `row` is the movie as it is stored: what only the app makes goes from there into the new row.
/// `at` is the time of the answer.
#[must_use]
pub fn details(movie: &Movie<'_>, row: &AppRow, at: OffsetDateTime) -> Value {
    let (poster, backdrop) = (movie.poster_path.as_deref(), movie.backdrop_path.as_deref());
    json!({
        "runtime_minutes": movie.runtime_minutes,
        "runtime_display": runtime_display(movie.runtime_minutes),
        "tagline": movie.tagline,
        "overview": movie.overview,
        "overview_short": overview_short(movie.overview.as_deref()),
        "genres": movie.genres,
        "certification": movie.certification,
        "poster_url_small": POSTER_SMALL.for_table(row, poster),
        "poster_url_medium": POSTER_MEDIUM.for_table(row, poster),
        "poster_url_large": POSTER_LARGE.for_table(row, poster),
        "poster_url_original": POSTER_ORIGINAL.for_table(row, poster),
        "backdrop_url": BACKDROP.for_table(row, backdrop),
        "backdrop_url_mobile": BACKDROP_MOBILE.for_table(row, backdrop),
        "trailer_youtube_id": movie.trailer_youtube_id,
        "trailer_thumbnail": row.text("trailer_thumbnail"),
        "cast_members": people::cast(movie, row),
        "crew_members": people::crew(movie, row),
        "keywords": movie.keywords.as_ref().filter(|keywords| !keywords.is_empty()),
        "streaming": streaming(movie.streaming.as_deref(), offers_at(movie, row, at)),
        "original_language": movie.original_language,
        "spoken_languages": movie.spoken_languages,
        "production_companies": movie.production_companies,
        "production_countries": movie.production_countries,
        "budget": movie.budget,
        "revenue_worldwide": movie.revenue_worldwide,
        "collection": movie.collection.as_ref().and_then(Option::as_ref),
        "still_images": row.column("still_images").cloned().unwrap_or_else(|| json!([])),
        "trailers": trailers(movie, row),
        "schema_version": schema_version(row),
    })
}

/// A newer version is the app's own and stays.
fn schema_version(row: &AppRow) -> i64 {
    let stored = row.details.as_ref().and_then(|details| whole(details, "schema_version"));
    stored.map_or(SCHEMA_VERSION, |stored| stored.max(SCHEMA_VERSION))
}

/// The time of the answer that the offers came with.
fn offers_at(movie: &Movie<'_>, row: &AppRow, at: OffsetDateTime) -> Option<String> {
    let stored = row.offers_at().filter(|_| movie.offers_are_kept);
    stored.map(ToOwned::to_owned).or_else(|| timestamp(at))
}

/// RFC 3339 in UTC; `None` for a year that it cannot express.
pub(super) fn timestamp(at: OffsetDateTime) -> Option<String> {
    at.to_offset(UtcOffset::UTC).format(&Rfc3339).ok()
}
