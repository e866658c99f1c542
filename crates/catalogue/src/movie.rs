//! A movie as the catalogue holds it. The field names are public: `changed` and `diff` of the
//! events use them.

use proto::TmdbId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A score of one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// Score of 0 to 10; `None` while nobody has voted.
    pub vote_average: Option<f64>,
    /// Number of votes.
    pub vote_count: i64,
}

/// A movie that TMDB calls similar or recommends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimilarMovie {
    /// Its number at TMDB.
    pub tmdb_id: TmdbId,
    /// `similar` or `recommendations`.
    pub source: String,
    /// Place in the list, from 1.
    pub rank_order: i32,
    /// Its title, for people.
    pub title: String,
}

/// A movie in TMDB's shapes, mapped from its answer. What the app's tables hold of it, and in which
/// shapes, is the matter of [`crate::app`].
///
/// A part that TMDB's answer lacked is `None` in the fields of type `Option<Vec<_>>` and
/// `Option<Value>`; the store then keeps what it has. A part that was there and empty is `Some` of
/// an empty list, and replaces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Movie {
    /// Number at TMDB.
    pub tmdb_id: TmdbId,
    /// IMDb's id, `tt…`; never empty.
    pub imdb_id: Option<String>,
    /// Title in the configured language.
    pub title: String,
    /// Title in the original language.
    pub original_title: Option<String>,
    /// Release date, `YYYY-MM-DD`.
    pub release_date: Option<String>,
    /// TMDB's word, for example `Released`.
    pub status: Option<String>,
    /// Minutes, at least 1.
    pub runtime_minutes: Option<i32>,
    /// One line.
    pub tagline: Option<String>,
    /// Plot.
    pub overview: Option<String>,
    /// Genre names.
    pub genres: Option<Vec<String>>,
    /// Certificate of the configured region, for example `PG-13`; once known it stays.
    pub certification: Option<String>,
    /// Path of the poster, `/….jpg`.
    pub poster_path: Option<String>,
    /// Path of the backdrop, `/….jpg`.
    pub backdrop_path: Option<String>,
    /// YouTube key of the trailer.
    pub trailer_youtube_id: Option<String>,
    /// All trailers and clips: `[{key, name, site, type, official, language, published_at}]`.
    pub trailers: Option<Value>,
    /// Cast in billing order: `[{id, name, character, order, profile_path, credit_id, gender}]`;
    /// gender 1 is female, 2 male.
    pub cast_members: Option<Value>,
    /// Crew: `[{id, name, job, department, profile_path, credit_id}]`.
    pub crew_members: Option<Value>,
    /// Keywords.
    pub keywords: Option<Vec<String>>,
    /// Where to watch, by region: `{"US": {link, flatrate, rent, buy, …}, "attribution":
    /// "JustWatch"}`.
    pub streaming: Option<Value>,
    /// ISO 639-1.
    pub original_language: Option<String>,
    /// English names, for example `Spanish`; the code where there is no name.
    pub spoken_languages: Option<Vec<String>>,
    /// `[{id, name, logo_path, origin_country}]`.
    pub production_companies: Option<Value>,
    /// Names, for example `United States of America`; the code where there is no name.
    pub production_countries: Option<Vec<String>>,
    /// US dollars, at least 1.
    pub budget: Option<i64>,
    /// US dollars, at least 1.
    pub revenue_worldwide: Option<i64>,
    /// `{id, name, poster_path, backdrop_path}`; JSON null when the movie is in none.
    pub collection: Option<Value>,
    /// Home page.
    pub homepage: Option<String>,
    /// What else TMDB sent and no column of its own holds: `{images, external_ids, translations,
    /// alternative_titles, release_dates, video, adult, origin_country}`.
    pub extras: Option<Value>,
    /// Similar and recommended movies.
    pub similar: Option<Vec<SimilarMovie>>,
    /// TMDB's score; moves daily and is no change.
    pub rating: Rating,
    /// TMDB's popularity; moves daily and is no change.
    pub popularity: f64,
    /// The answer lacked the offers, and [`Movie::keep_missing`] took the stored ones: they are as
    /// old as they were. Never stored.
    #[serde(skip)]
    pub offers_are_kept: bool,
}

/// Fields that move by themselves, or follow another movie's life: they are stored, but make no
/// change.
const SILENT: [&str; 3] = ["rating", "popularity", "similar"];

/// So many full parts that are empty all at once make an answer look truncated.
const TRUNCATED_PARTS: usize = 3;

fn sort_lists(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort_lists);
            items.sort_by_cached_key(ToString::to_string);
        }
        Value::Object(fields) => fields.values_mut().for_each(sort_lists),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl Movie {
    /// The movie as JSON without its silent fields: what is hashed and compared. Keys and lists are
    /// sorted, for TMDB sends the same list in another order at times; where an order means
    /// something (billing), the rows hold it.
    #[must_use]
    pub fn canonical(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or(Value::Null);
        if let Value::Object(fields) = &mut value {
            fields.retain(|name, _| !SILENT.contains(&name.as_str()));
        }
        sort_lists(&mut value);
        value
    }

    /// SHA-256 over [`Movie::canonical`]: equal means that nothing a person would call a change
    /// happened.
    #[must_use]
    pub fn content_hash(&self) -> Vec<u8> {
        Sha256::digest(self.canonical().to_string().as_bytes()).to_vec()
    }

    /// Fills the parts that the answer lacked from what is stored, so that a missing part erases
    /// nothing.
    ///
    /// A part that is there and empty replaces: a person may have emptied it. But where three or
    /// more of the parts that were full are empty at once, nobody did that by hand: the answer
    /// counts as truncated, and they are kept.
    ///
    /// A certificate stays as well where the answer has none: boards do not take one back, and the
    /// app reads a movie again on each look while its card has none.
    pub fn keep_missing(&mut self, stored: &Self) {
        self.drop_emptied(stored);
        fn keep<T: Clone>(new: &mut Option<T>, old: &Option<T>) {
            if new.is_none() {
                new.clone_from(old);
            }
        }
        keep(&mut self.genres, &stored.genres);
        keep(&mut self.trailers, &stored.trailers);
        keep(&mut self.cast_members, &stored.cast_members);
        keep(&mut self.crew_members, &stored.crew_members);
        keep(&mut self.keywords, &stored.keywords);
        self.offers_are_kept |= self.streaming.is_none() && stored.streaming.is_some();
        keep(&mut self.streaming, &stored.streaming);
        keep(&mut self.spoken_languages, &stored.spoken_languages);
        keep(&mut self.production_companies, &stored.production_companies);
        keep(&mut self.production_countries, &stored.production_countries);
        keep(&mut self.collection, &stored.collection);
        keep(&mut self.similar, &stored.similar);
        keep(&mut self.certification, &stored.certification);
        if self.lacks("videos") {
            keep(&mut self.trailer_youtube_id, &stored.trailer_youtube_id);
        }
        self.keep_missing_extras(stored);
    }

    fn drop_emptied(&mut self, stored: &Self) {
        fn rows<T>(list: &Option<Vec<T>>) -> Option<usize> {
            list.as_ref().map(Vec::len)
        }
        fn items(value: &Option<Value>) -> Option<usize> {
            value.as_ref().and_then(Value::as_array).map(Vec::len)
        }
        let sizes = |m: &Self| {
            [
                items(&m.cast_members),
                items(&m.crew_members),
                items(&m.trailers),
                rows(&m.keywords),
                rows(&m.similar),
                rows(&m.genres),
            ]
        };
        let emptied = sizes(self)
            .into_iter()
            .zip(sizes(stored))
            .map(|(new, old)| new == Some(0) && old.is_some_and(|n| n > 0));
        let [cast, crew, trailers, keywords, similar, genres] = emptied.collect::<Vec<_>>()[..]
        else {
            return;
        };
        if [cast, crew, trailers, keywords, similar, genres].into_iter().filter(|e| *e).count()
            < TRUNCATED_PARTS
        {
            return;
        }
        self.cast_members = self.cast_members.take().filter(|_| !cast);
        self.crew_members = self.crew_members.take().filter(|_| !crew);
        self.trailers = self.trailers.take().filter(|_| !trailers);
        self.keywords = self.keywords.take().filter(|_| !keywords);
        self.similar = self.similar.take().filter(|_| !similar);
        self.genres = self.genres.take().filter(|_| !genres);
        if trailers {
            self.trailer_youtube_id.clone_from(&stored.trailer_youtube_id);
        }
    }

    /// Whether the answer lacked a part that feeds a column which may be null for other reasons as
    /// well.
    fn lacks(&self, part: &str) -> bool {
        self.extras
            .as_ref()
            .and_then(|e| e.get("missing_parts"))
            .and_then(Value::as_array)
            .is_some_and(|m| m.iter().any(|p| p == part))
    }

    fn keep_missing_extras(&mut self, stored: &Self) {
        let Some(Value::Object(new)) = &mut self.extras else {
            self.extras.clone_from(&stored.extras);
            return;
        };
        new.remove("missing_parts");
        if let Some(Value::Object(old)) = &stored.extras {
            for (name, value) in old {
                new.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }

    /// Whether any part was missing, so that [`Movie::keep_missing`] is needed before it is
    /// compared or stored.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.extras.as_ref().is_none_or(|e| e.get("missing_parts").is_some())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn movie(part: impl Fn() -> Value) -> Movie {
        serde_json::from_value(json!({
            "tmdb_id": 7,
            "title": "T",
            "cast_members": part(),
            "crew_members": part(),
            "trailers": part(),
            "genres": [],
            "rating": {"vote_average": 5.0, "vote_count": 3},
            "popularity": 1.0,
            "extras": {},
        }))
        .unwrap()
    }

    #[test]
    fn order_and_votes_make_no_change() {
        let (one, mut two) = (movie(|| json!(["a", "b"])), movie(|| json!(["b", "a"])));
        two.rating.vote_count = 9;
        assert_eq!(one.content_hash(), two.content_hash());
        assert_ne!(one.content_hash(), movie(|| json!(["a", "c"])).content_hash());
    }

    #[test]
    fn one_emptied_part_is_meant_several_are_a_truncated_answer() {
        let stored = movie(|| json!(["a"]));
        let mut one = stored.clone();
        one.cast_members = Some(json!([]));
        one.keep_missing(&stored);
        assert_eq!(one.cast_members, Some(json!([])));
        let mut all = movie(|| json!([]));
        all.keep_missing(&stored);
        assert_eq!(
            (all.cast_members, all.crew_members, all.trailers),
            (Some(json!(["a"])), Some(json!(["a"])), Some(json!(["a"])))
        );
        let mut missing = stored.clone();
        missing.crew_members = None;
        missing.keep_missing(&stored);
        assert_eq!(missing.crew_members, stored.crew_members);
    }
}
