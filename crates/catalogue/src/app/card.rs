//! The cards that the app shows: full and short, with an `etag` that changes only when the card
//! does.

use proto::{ShortCard, TmdbId};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{
    details::{details, timestamp},
    images::{BACKDROP, POSTER_LARGE, POSTER_MEDIUM, POSTER_SMALL},
    json::texts,
    people::Credits,
    row::AppRow,
    score::Score,
};
use crate::Movie;

/// Cast members on a full card.
const CARD_CAST: usize = 8;
/// When the movie was last known to be so.
const UPDATED: &str = "last_updated";
/// When the offers were read, within `streaming`.
const OFFERS_AT: &str = "updated_at";
/// Bytes of the hash in an etag.
const ETAG_BYTES: usize = 16;

/// A movie's row of `work_cards_cache`.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// `payload`: everything that the app shows of a movie.
    pub full: Value,
    /// `payload_short`: `{work_id, tmdb_id, title, year, poster, ai_score}`.
    pub short: Value,
    /// Hex, over both; `last_updated` and `streaming.updated_at` do not count.
    pub etag: String,
}

impl Card {
    /// The short card as events carry it.
    #[must_use]
    pub fn short_card(&self, tmdb_id: TmdbId) -> ShortCard {
        ShortCard::read(tmdb_id, &self.short)
    }
}

/// The card of a movie: the stored one with this program's keys laid over it, so that keys which
/// only the app knows stay. `at` is the time of the answer.
#[must_use]
pub fn card(work_id: i64, movie: &Movie<'_>, row: &AppRow, at: OffsetDateTime) -> Card {
    card_over(work_id, movie, row, Rendered { details: &details(movie, row, at), at })
}

/// A row of `works_meta` that is written with a card.
#[derive(Debug, Clone, Copy)]
pub struct Rendered<'a> {
    /// As [`details`] made it.
    pub details: &'a Value,
    /// When the movie was last known to be so.
    pub at: OffsetDateTime,
}

/// As [`card`], over details that were made already.
#[must_use]
pub fn card_over(work_id: i64, movie: &Movie<'_>, row: &AppRow, rendered: Rendered<'_>) -> Card {
    let Rendered { details, at } = rendered;
    let mut full = kept(row);
    for own in [identity(work_id, movie), facts(details), pictures(movie, row), scores(movie)] {
        full.extend(own);
    }
    full.insert("cast".to_owned(), first_of_cast(details));
    let card = WithoutTimes::of(full);
    let short = json!({
        "work_id": work_id,
        "tmdb_id": movie.tmdb_id.to_string(),
        "title": movie.title,
        "year": year(movie),
        "poster": card.full.pointer("/poster/medium"),
        "ai_score": Score::of(&movie.rating).value,
    });
    Card { etag: card.etag(&short), full: card.updated(at), short }
}

/// Keys of the stored card. `similar_movie_ids` is the only one of them that readers know and
/// nothing here writes: of a wrong type it would make the card unreadable.
fn kept(row: &AppRow) -> Map<String, Value> {
    let mut kept = row.card.as_object().cloned().unwrap_or_default();
    let is_readable = |ids: &Value| ids.as_array().is_some_and(|ids| ids.iter().all(Value::is_i64));
    kept.retain(|name, value| name != "similar_movie_ids" || is_readable(value));
    kept
}

fn identity(work_id: i64, movie: &Movie<'_>) -> Map<String, Value> {
    let credits = Credits::of(movie);
    object(json!({
        "work_id": work_id,
        "tmdb_id": movie.tmdb_id.to_string(),
        "imdb_id": movie.imdb_id,
        "title": movie.title,
        "original_title": movie.original_title,
        "year": year(movie),
        "release_date": movie.release_date,
        "director": credits.director,
        "writer": credits.writer,
        "screenplay": credits.screenplay,
        "composer": credits.composer,
        "budget": movie.budget,
        "revenue": movie.revenue_worldwide,
    }))
}

/// What the card and `works_meta` hold alike, and under the same name.
fn facts(details: &Value) -> Map<String, Value> {
    let alike = [
        "runtime_minutes",
        "runtime_display",
        "tagline",
        "overview",
        "overview_short",
        "genres",
        "certification",
        "trailer_youtube_id",
        "trailer_thumbnail",
        "trailers",
        "streaming",
    ];
    let of = |name: &str| (name.to_owned(), details.get(name).cloned().unwrap_or_default());
    alike.into_iter().map(of).collect()
}

fn pictures(movie: &Movie<'_>, row: &AppRow) -> Map<String, Value> {
    let poster = movie.poster_path.as_deref();
    let stills = |of: Option<&Value>| of.and_then(|of| texts(of, "still_images"));
    let stored = [stills(row.details.as_ref()), stills(Some(&row.card))];
    object(json!({
        "poster": {
            "small": POSTER_SMALL.for_card(row, poster),
            "medium": POSTER_MEDIUM.for_card(row, poster),
            "large": POSTER_LARGE.for_card(row, poster),
        },
        "backdrop": BACKDROP.for_card(row, movie.backdrop_path.as_deref()),
        "still_images": stored.into_iter().flatten().find(|stills| !stills.is_empty())
            .unwrap_or_default(),
    }))
}

fn scores(movie: &Movie<'_>) -> Map<String, Value> {
    let score = Score::of(&movie.rating);
    object(json!({
        "ai_score": score.value,
        "ai_score_range": [score.low, score.high],
        "source_scores": score.source_scores(),
    }))
}

fn first_of_cast(details: &Value) -> Value {
    let cast = details.get("cast_members").and_then(Value::as_array);
    cast.map(|cast| cast.iter().take(CARD_CAST).cloned().collect()).unwrap_or_default()
}

fn year(movie: &Movie<'_>) -> Option<i64> {
    movie.release_date.as_deref()?.get(..4)?.parse().ok()
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}

/// Takes the times off a card and puts them on again: they would change the etag with every answer.
struct WithoutTimes {
    full: Value,
    offers_at: Option<Value>,
}

impl WithoutTimes {
    fn of(mut card: Map<String, Value>) -> Self {
        card.remove(UPDATED);
        let streaming = card.get_mut("streaming").and_then(Value::as_object_mut);
        let offers_at = streaming.and_then(|streaming| streaming.remove(OFFERS_AT));
        Self { full: Value::Object(card), offers_at }
    }

    fn etag(&self, short: &Value) -> String {
        let digest = Sha256::digest(format!("{}{short}", self.full));
        digest.iter().take(ETAG_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }

    fn updated(self, at: OffsetDateTime) -> Value {
        let Self { mut full, offers_at } = self;
        let streaming = full.get_mut("streaming").and_then(Value::as_object_mut);
        if let (Some(at), Some(streaming)) = (offers_at, streaming) {
            streaming.insert(OFFERS_AT.to_owned(), at);
        }
        if let Some(card) = full.as_object_mut() {
            card.insert(UPDATED.to_owned(), timestamp(at).into());
        }
        full
    }
}
