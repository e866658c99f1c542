//! The app's readers, as strict as they are: a key that is missing or null is fine where it is
//! optional; a wrong type refuses the whole value. Further keys harm no reader.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// Reads a value as the app does.
///
/// # Panics
/// The app could not read it: the message holds why, and the value.
#[must_use]
pub fn decode<T: DeserializeOwned>(value: &Value) -> T {
    T::deserialize(value).unwrap_or_else(|e| panic!("the app cannot read this: {e}\n{value:#}"))
}

/// `work_cards_cache.payload`: one card of a watch list or a search, of which each has to decode.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Card {
    pub work_id: i64,
    pub tmdb_id: String,
    pub imdb_id: Option<String>,
    pub title: String,
    pub original_title: Option<String>,
    pub year: Option<i64>,
    pub release_date: Option<String>,
    pub runtime_minutes: Option<i64>,
    pub runtime_display: Option<String>,
    pub tagline: Option<String>,
    pub overview: Option<String>,
    pub overview_short: Option<String>,
    pub genres: Option<Vec<String>>,
    pub poster: Option<Posters>,
    pub backdrop: Option<String>,
    pub trailer_youtube_id: Option<String>,
    pub trailer_thumbnail: Option<String>,
    pub certification: Option<String>,
    pub cast: Option<Vec<CastMember>>,
    pub director: Option<String>,
    pub writer: Option<String>,
    pub screenplay: Option<String>,
    pub composer: Option<String>,
    pub ai_score: Option<f64>,
    pub ai_score_range: Option<[f64; 2]>,
    pub source_scores: Option<SourceScores>,
    pub similar_movie_ids: Option<Vec<i64>>,
    pub still_images: Option<Vec<String>>,
    pub trailers: Option<Vec<Clip>>,
    pub streaming: Option<Streaming>,
    pub budget: Option<i64>,
    pub revenue: Option<i64>,
    pub last_updated: Option<String>,
}

/// `work_cards_cache.payload_short`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ShortCard {
    pub work_id: i64,
    pub tmdb_id: String,
    pub title: String,
    pub year: Option<i64>,
    pub poster: Option<String>,
    pub ai_score: f64,
}

/// The poster in three sizes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Posters {
    pub small: Option<String>,
    pub medium: Option<String>,
    pub large: Option<String>,
}

/// An actor, in a card and in `works_meta.cast_members`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CastMember {
    pub person_id: String,
    pub name: String,
    pub character: Option<String>,
    pub order: Option<i64>,
    pub photo_url_small: Option<String>,
    pub photo_url_medium: Option<String>,
    pub photo_url_large: Option<String>,
    pub gender: Option<String>,
}

/// One of the crew, in `works_meta.crew_members`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CrewMember {
    pub person_id: String,
    pub name: String,
    pub job: String,
    pub department: Option<String>,
    pub photo_url_small: Option<String>,
    pub photo_url_medium: Option<String>,
}

/// A trailer, in a card and in `works_meta.trailers`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Clip {
    pub key: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub thumbnail_url: Option<String>,
}

/// Scores by source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SourceScores {
    pub tmdb: Option<ScoreDetail>,
}

/// The score of one source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ScoreDetail {
    pub score: f64,
    pub votes: Option<i64>,
}

/// Where to watch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Streaming {
    pub us: Option<Region>,
    pub updated_at: Option<String>,
}

/// The offers of one region.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Region {
    pub link: Option<String>,
    pub flatrate: Option<Vec<Provider>>,
    pub rent: Option<Vec<Provider>>,
    pub buy: Option<Vec<Provider>>,
    pub ads: Option<Vec<Provider>>,
    pub free: Option<Vec<Provider>>,
}

/// Who offers a movie.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Provider {
    pub provider_id: i64,
    pub provider_name: String,
    pub logo_path: Option<String>,
}

/// A row of `works_meta` as `to_jsonb` gives it: what the app's own ingest writes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Details {
    pub runtime_minutes: Option<i32>,
    pub runtime_display: Option<String>,
    pub tagline: Option<String>,
    pub overview: Option<String>,
    pub overview_short: Option<String>,
    pub genres: Option<Vec<String>>,
    pub certification: Option<String>,
    pub poster_url_small: Option<String>,
    pub poster_url_medium: Option<String>,
    pub poster_url_large: Option<String>,
    pub poster_url_original: Option<String>,
    pub backdrop_url: Option<String>,
    pub backdrop_url_mobile: Option<String>,
    pub trailer_youtube_id: Option<String>,
    pub trailer_thumbnail: Option<String>,
    pub cast_members: Option<Vec<CastMember>>,
    pub crew_members: Option<Vec<CrewMember>>,
    pub keywords: Option<Vec<String>>,
    pub streaming: Option<Streaming>,
    pub original_language: Option<String>,
    pub spoken_languages: Option<Vec<String>>,
    pub production_countries: Option<Vec<String>>,
    pub budget: Option<i64>,
    pub revenue_worldwide: Option<i64>,
    pub still_images: Option<Vec<String>>,
    pub trailers: Option<Vec<Clip>>,
    pub schema_version: i64,
}
