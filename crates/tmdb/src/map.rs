//! From TMDB's answer to the catalogue's movie. Strict about the id, lenient about everything else.

use catalogue::{Movie, Rating, SimilarMovie};

use proto::TmdbId;
use serde_json::{Map, Value, json};
use std::collections::HashSet;

use crate::{
    error::TmdbError,
    json::{first_texts, list, number, pick, positive, text, texts, without_nul},
    parts::PARTS,
};

/// Longest id of IMDb that is accepted; today they have 9 or 10 characters.
const IMDB_ID_MAX_CHARS: usize = 16;

/// TMDB's scale of votes.
const SCALE: std::ops::RangeInclusive<f64> = 0.0..=10.0;
/// Far above any that was measured.
const POPULARITY_MAX: f64 = 1e12;

/// What is kept of a member of the cast.
const CAST_MEMBER: [&str; 7] =
    ["id", "name", "character", "order", "profile_path", "credit_id", "gender"];
/// What a language is called; the first that TMDB has.
const LANGUAGE: [&str; 3] = ["english_name", "name", "iso_639_1"];
/// What a country is called; the first that TMDB has.
const COUNTRY: [&str; 2] = ["name", "iso_3166_1"];

/// What the mapping prefers.
#[derive(Debug, Clone)]
pub struct MapOptions {
    /// Language of titles and texts, as `en-US`.
    pub language: String,
    /// Region of the certificate.
    pub region: String,
    /// Regions of the streaming offers.
    pub streaming_regions: Vec<String>,
}

/// Maps the body of `/movie/{id}` with its parts.
///
/// # Errors
/// `Malformed` when it is not a JSON object with an id, `WrongId` when it is about another movie.
pub fn map(body: &[u8], asked: TmdbId, options: &MapOptions) -> Result<Movie, TmdbError> {
    let body: Value =
        serde_json::from_slice(body).map_err(|e| TmdbError::Malformed { detail: e.to_string() })?;
    let body = without_nul(body);
    let got = body.get("id").and_then(Value::as_i64);
    let got =
        got.ok_or_else(|| TmdbError::Malformed { detail: "it has no numeric id".to_owned() })?;
    if got != asked.get() {
        return Err(TmdbError::WrongId { asked, got });
    }
    Ok(movie(&body, asked, options))
}

fn movie(body: &Value, asked: TmdbId, options: &MapOptions) -> Movie {
    let original_title = text(body, "original_title");
    let votes = body.get("vote_count").and_then(Value::as_i64).unwrap_or(0).max(0);
    Movie {
        tmdb_id: asked,
        imdb_id: text(body, "imdb_id").filter(|id| is_imdb_id(id)),
        title: text(body, "title")
            .or_else(|| original_title.clone())
            .unwrap_or_else(|| format!("Untitled TMDB {asked}")),
        original_title,
        release_date: text(body, "release_date").filter(|d| is_date(d)),
        status: text(body, "status"),
        runtime_minutes: positive(body, "runtime").and_then(|n| i32::try_from(n).ok()),
        tagline: text(body, "tagline"),
        overview: text(body, "overview"),
        genres: texts(body, "genres", "name"),
        certification: certification(body, &options.region),
        poster_path: text(body, "poster_path"),
        backdrop_path: text(body, "backdrop_path"),
        trailer_youtube_id: trailer(body, &options.language),
        trailers: trailers(body),
        cast_members: cast(body),
        crew_members: part_list(body, "credits", "crew").map(|crew| {
            crew.iter()
                .map(|c| pick(c, &["id", "name", "job", "department", "profile_path", "credit_id"]))
                .collect()
        }),
        keywords: body.get("keywords").and_then(|k| texts(k, "keywords", "name")),
        streaming: streaming(body, &options.streaming_regions),
        original_language: text(body, "original_language"),
        spoken_languages: first_texts(body, "spoken_languages", &LANGUAGE),
        production_companies: list(body, "production_companies").map(|l| {
            l.iter().map(|c| pick(c, &["id", "name", "logo_path", "origin_country"])).collect()
        }),
        production_countries: first_texts(body, "production_countries", &COUNTRY),
        budget: positive(body, "budget"),
        revenue_worldwide: positive(body, "revenue"),
        collection: collection(body),
        homepage: text(body, "homepage"),
        extras: Some(extras(body)),
        similar: similar(body, asked),
        rating: Rating {
            vote_average: number(body, "vote_average").filter(|v| votes > 0 && SCALE.contains(v)),
            vote_count: votes,
        },
        popularity: number(body, "popularity").unwrap_or(0.0).clamp(0.0, POPULARITY_MAX),
        offers_are_kept: false,
    }
}

/// IMDb's form of a title id; TMDB has held other texts there.
pub(crate) fn is_imdb_id(text: &str) -> bool {
    text.len() <= IMDB_ID_MAX_CHARS
        && text
            .strip_prefix("tt")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn is_date(text: &str) -> bool {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    time::Date::parse(text, &format).is_ok_and(|d| d.year() > 0)
}

fn part_list<'a>(body: &'a Value, part: &str, key: &str) -> Option<&'a Vec<Value>> {
    body.get(part).and_then(|p| list(p, key))
}

/// The region's theatrical certificate (type 3), then the limited one (2), then any that is not
/// empty.
fn certification(body: &Value, region: &str) -> Option<String> {
    let countries = part_list(body, "release_dates", "results")?;
    let country =
        countries.iter().find(|c| c.get("iso_3166_1").and_then(Value::as_str) == Some(region))?;
    let dates = list(country, "release_dates")?;
    let of = |wanted: Option<i64>| {
        dates
            .iter()
            .filter(|d| wanted.is_none() || d.get("type").and_then(Value::as_i64) == wanted)
            .find_map(|d| text(d, "certification"))
    };
    of(Some(3)).or_else(|| of(Some(2))).or_else(|| of(None))
}

fn videos(body: &Value) -> Option<Vec<&Value>> {
    let all = part_list(body, "videos", "results")?;
    Some(
        all.iter()
            .filter(|v| text(v, "site").as_deref() == Some("YouTube") && text(v, "key").is_some())
            .collect(),
    )
}

/// The official trailer in the configured language first, then in the movie's own, then any; then
/// unofficial ones, then teasers.
fn trailer(body: &Value, language: &str) -> Option<String> {
    let (wanted, own) =
        (language.split('-').next().map(ToOwned::to_owned), text(body, "original_language"));
    let rank = |v: &Value| {
        let kind = match text(v, "type").as_deref() {
            Some("Trailer") => 0,
            Some("Teaser") => 1,
            Some(_) | None => return None,
        };
        let spoken = text(v, "iso_639_1");
        let preference = if spoken == wanted {
            0
        } else if spoken == own {
            1
        } else {
            2
        };
        let official = v.get("official").and_then(Value::as_bool).unwrap_or(false);
        Some((kind, !official, preference))
    };
    videos(body)?
        .into_iter()
        .filter_map(|v| Some((rank(v)?, text(v, "key")?)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, key)| key)
}

fn trailers(body: &Value) -> Option<Value> {
    let rows = videos(body)?.into_iter().map(|v| {
        let mut row = pick(v, &["key", "name", "site", "type", "official", "published_at"]);
        if let Some(fields) = row.as_object_mut() {
            fields.insert("language".to_owned(), v.get("iso_639_1").cloned().unwrap_or_default());
        }
        row
    });
    Some(rows.collect())
}

/// In billing order, each credit once.
fn cast(body: &Value) -> Option<Value> {
    let mut seen = HashSet::new();
    let mut cast: Vec<&Value> = part_list(body, "credits", "cast")?
        .iter()
        .filter(|c| text(c, "credit_id").is_none_or(|id| seen.insert(id)))
        .collect();
    cast.sort_by_key(|c| c.get("order").and_then(Value::as_i64).unwrap_or(i64::MAX));
    Some(cast.into_iter().map(|member| pick(member, &CAST_MEMBER)).collect())
}

/// The offers of the configured regions as sent; JustWatch must be credited.
fn streaming(body: &Value, regions: &[String]) -> Option<Value> {
    let offers = body.get("watch/providers")?.get("results")?.as_object()?;
    let mut kept: Map<String, Value> =
        regions.iter().filter_map(|r| Some((r.clone(), offers.get(r)?.clone()))).collect();
    kept.insert("attribution".to_owned(), "JustWatch".into());
    Some(kept.into())
}

fn collection(body: &Value) -> Option<Value> {
    match body.get("belongs_to_collection")? {
        Value::Object(fields) => {
            Some(pick(&fields.clone().into(), &["id", "name", "poster_path", "backdrop_path"]))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Some(Value::Null)
        }
    }
}

fn similar(body: &Value, asked: TmdbId) -> Option<Vec<SimilarMovie>> {
    let mut found = Vec::new();
    let mut any = false;
    for (part, source) in [("similar", "similar"), ("recommendations", "recommendations")] {
        let Some(rows) = part_list(body, part, "results") else { continue };
        any = true;
        let mut seen = HashSet::from([asked]);
        let ids =
            rows.iter().filter_map(|r| Some((TmdbId::try_from(r.get("id")?.as_i64()?).ok()?, r)));
        let unique: Vec<_> = ids.filter(|(id, _)| seen.insert(*id)).collect();
        found.extend(unique.into_iter().zip(1_i32..).map(|((tmdb_id, row), rank_order)| {
            SimilarMovie {
                tmdb_id,
                source: source.to_owned(),
                rank_order,
                title: text(row, "title").unwrap_or_default(),
            }
        }));
    }
    any.then_some(found)
}

/// What no column of its own holds, and the names of the parts that the answer lacked.
fn extras(body: &Value) -> Value {
    let mut extras = Map::new();
    for key in ["adult", "video", "softcore", "origin_country"] {
        if let Some(value) = body.get(key) {
            extras.insert(key.to_owned(), value.clone());
        }
    }
    for (part, inner) in [
        ("translations", "translations"),
        ("alternative_titles", "titles"),
        ("release_dates", "results"),
    ] {
        if let Some(rows) = part_list(body, part, inner) {
            extras.insert(part.to_owned(), json!(rows));
        }
    }
    if let Some(value) = body.get("external_ids").filter(|v| v.is_object()) {
        extras.insert("external_ids".to_owned(), value.clone());
    }
    if let Some(kinds) = body.get("images").and_then(Value::as_object) {
        // Without the votes on each image, which move daily.
        let kept = ["file_path", "iso_639_1", "iso_3166_1", "width", "height"];
        let images: Map<String, Value> = kinds
            .iter()
            .filter_map(|(kind, rows)| {
                Some((kind.clone(), rows.as_array()?.iter().map(|i| pick(i, &kept)).collect()))
            })
            .collect();
        extras.insert("images".to_owned(), images.into());
    }
    let missing: Vec<&str> =
        PARTS.iter().copied().filter(|p| !body.get(*p).is_some_and(Value::is_object)).collect();
    if !missing.is_empty() {
        extras.insert("missing_parts".to_owned(), json!(missing));
    }
    extras.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(body: &Value) -> Movie {
        let options = MapOptions {
            language: "en-US".to_owned(),
            region: "US".to_owned(),
            streaming_regions: vec!["US".to_owned()],
        };
        map(body.to_string().as_bytes(), TmdbId::try_from(7).unwrap(), &options).unwrap()
    }

    #[test]
    fn unknown_values_are_null() {
        let movie = mapped(&json!({
            "id": 7, "title": "", "original_title": "O", "release_date": "", "runtime": 0,
            "budget": 0, "revenue": 2_923_706_026_i64, "imdb_id": "", "tagline": "",
            "vote_average": 0.0, "vote_count": 0, "popularity": "1.5", "overview": "a\u{0}b",
        }));
        assert!(movie.is_incomplete());
        assert_eq!(
            (movie.title.as_str(), movie.release_date, movie.runtime_minutes, movie.budget),
            ("O", None, None, None)
        );
        assert_eq!(
            (movie.revenue_worldwide, movie.imdb_id, movie.tagline),
            (Some(2_923_706_026), None, None)
        );
        assert_eq!(
            (movie.rating.vote_average, movie.rating.vote_count, movie.popularity),
            (None, 0, 1.5)
        );
        assert_eq!(movie.overview.as_deref(), Some("ab"));
        assert_eq!(movie.cast_members, None);
    }

    #[test]
    fn the_certificate_is_the_theatrical_one() {
        let date = |kind: i64, text: &str| json!({"type": kind, "certification": text});
        let dates = |rows: &[Value]| {
            let results = json!([{"iso_3166_1": "US", "release_dates": rows}]);
            json!({"id": 7, "title": "T", "release_dates": {"results": results}})
        };
        for (rows, expected) in [
            (vec![date(4, "NR"), date(2, "R"), date(3, "PG")], Some("PG")),
            (vec![date(4, "NR"), date(2, "R"), date(3, "")], Some("R")),
            (vec![date(4, "NR"), date(3, "")], Some("NR")),
            (Vec::new(), None),
        ] {
            assert_eq!(mapped(&dates(&rows)).certification.as_deref(), expected);
        }
    }

    #[test]
    fn credits_are_ordered_and_unique() {
        fn credit(id: &str, order: i64) -> Value {
            json!({"credit_id": id, "order": order, "name": id, "gender": 2})
        }
        let cast = [credit("b", 5), credit("a", 0), credit("b", 6)];
        let movie = mapped(&json!({"id": 7, "title": "T", "credits": {"crew": [], "cast": cast}}));
        let cast = movie.cast_members.unwrap();
        let names: Vec<_> = cast.as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(cast[0]["gender"], 2);
    }

    #[test]
    fn languages_and_countries_are_called_by_name() {
        let movie = mapped(&json!({
            "id": 7, "title": "T",
            "spoken_languages": [
                {"english_name": "Polish", "name": "Polski", "iso_639_1": "pl"},
                {"english_name": "", "name": "Deutsch", "iso_639_1": "de"},
                {"name": "", "iso_639_1": "xx"},
                {},
            ],
            "production_countries": [{"iso_3166_1": "SU", "name": ""}, {"name": "Poland"}],
        }));
        assert_eq!(movie.spoken_languages.unwrap(), ["Polish", "Deutsch", "xx"]);
        assert_eq!(movie.production_countries.unwrap(), ["SU", "Poland"]);
    }

    #[test]
    fn the_trailer_is_official_and_in_our_language() {
        let video = |key: &str, kind: &str, official: bool, language: &str| {
            json!({
                "site": "YouTube", "key": key, "type": kind, "official": official,
                "iso_639_1": language,
            })
        };
        let videos = [
            video("teaser", "Teaser", true, "en"),
            video("fan", "Trailer", false, "en"),
            video("fr", "Trailer", true, "fr"),
            video("en", "Trailer", true, "en"),
        ];
        let movie = mapped(&json!({
            "id": 7, "title": "T", "original_language": "fr", "videos": {"results": videos},
        }));
        assert_eq!(movie.trailer_youtube_id.as_deref(), Some("en"));
    }

    #[test]
    fn another_movies_body_is_refused() {
        let options = MapOptions {
            language: "en".to_owned(),
            region: "US".to_owned(),
            streaming_regions: Vec::new(),
        };
        let id = TmdbId::try_from(8).unwrap();
        assert!(matches!(
            map(br#"{"id": 7}"#, id, &options),
            Err(TmdbError::WrongId { got: 7, .. })
        ));
        assert!(matches!(map(b"[]", id, &options), Err(TmdbError::Malformed { .. })));
    }
}
