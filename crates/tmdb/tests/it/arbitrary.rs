//! Arbitrary answers in TMDB's shape: the mapping never panics, and every column can hold what it
//! lets through.

use catalogue::{AppRow, Body, Look, Movie, PARTS, diff};
use proto::TmdbId;
use serde_json::{Map, Value, json};
use tmdb::read_movie;

use crate::recorded::options;

/// Bodies tried; each differs from the realistic one in one to eight places. `MANGOES_CASES` tries
/// more.
const CASES: u64 = 4_000;

/// What the columns of `works` and `works_meta` rely on.
pub(crate) fn assert_storable(look: &Look) {
    let (row, mut merged) = (AppRow::default(), None);
    assert_movie_storable(&look.merge(None, &row, &mut merged).movie);
}

/// The answer of this body, which need not be one about the movie.
pub(crate) fn look(body: &str, asked: TmdbId) -> Result<Look, tmdb::TmdbError> {
    read_movie(Body { text: body.to_owned(), packed: None }, asked, &options().into())
}

fn assert_movie_storable(movie: &Movie<'_>) {
    let text = movie.canonical().to_string();
    assert!(!text.contains("\\u0000"), "U+0000: {text}");
    assert!(!movie.title.is_empty());
    assert!(
        movie.popularity.is_finite()
            && movie.rating.vote_average.is_none_or(|v| (0.0..=10.0).contains(&v))
            && movie.rating.vote_count >= 0
    );
    for positive in [movie.runtime_minutes.map(i64::from), movie.budget, movie.revenue_worldwide]
        .into_iter()
        .flatten()
    {
        assert!(positive > 0);
    }
    for id in movie.imdb_id.iter() {
        assert!(
            id.starts_with("tt")
                && id.len() <= 16
                && id.bytes().skip(2).all(|b| b.is_ascii_digit()),
            "{id}"
        );
    }
    for date in movie.release_date.iter() {
        let parts: Vec<u32> = date.split('-').map(|p| p.parse().unwrap()).collect();
        assert!(
            parts.len() == 3
                && (1..=9999).contains(&parts[0])
                && (1..=12).contains(&parts[1])
                && (1..=31).contains(&parts[2]),
            "{date}"
        );
    }
    for text in
        [&movie.certification, &movie.tagline, &movie.overview, &movie.poster_path, &movie.status]
            .into_iter()
            .flatten()
    {
        assert!(!text.is_empty());
    }
    let credits: Vec<&str> = movie
        .cast_members
        .iter()
        .flatten()
        .filter_map(|member| member.credit_id.as_deref())
        .collect();
    let unique: std::collections::BTreeSet<_> = credits.iter().collect();
    assert_eq!(unique.len(), credits.len(), "a credit twice");
}

/// splitmix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }
}

fn realistic() -> Value {
    let row = |id: i64| {
        json!({
            "id": id, "title": "Other", "name": "Name", "credit_id": format!("c{id}"),
            "order": id, "job": "Director",
        })
    };
    json!({
        "id": 603,
        "imdb_id": "tt0133093",
        "title": "The Matrix",
        "original_title": "The Matrix",
        "release_date": "1999-03-30",
        "runtime": 136,
        "budget": 63_000_000,
        "revenue": 463_517_383_i64,
        "status": "Released",
        "tagline": "Free your mind.",
        "overview": "A hacker learns the truth.",
        "homepage": "",
        "popularity": 80.5,
        "vote_average": 8.2,
        "vote_count": 26_000,
        "genres": [{"id": 28, "name": "Action"}],
        "spoken_languages": [{"iso_639_1": "en"}],
        "original_language": "en",
        "production_companies": [row(1), row(2)],
        "production_countries": [{"iso_3166_1": "US"}],
        "poster_path": "/p.jpg",
        "backdrop_path": null,
        "belongs_to_collection": {
            "id": 2344, "name": "The Matrix Collection", "poster_path": null,
        },
        "credits": {"cast": [row(3), row(1), row(1)], "crew": [row(9)]},
        "keywords": {"keywords": [{"id": 1, "name": "simulation"}]},
        "videos": {"results": [{
            "site": "YouTube", "key": "k", "type": "Trailer", "official": true, "iso_639_1": "en",
        }]},
        "similar": {"results": [row(604), row(605)]},
        "recommendations": {"results": [row(604)]},
        "release_dates": {"results": [{
            "iso_3166_1": "US", "release_dates": [{"type": 3, "certification": "R"}],
        }]},
        "images": {"posters": [{"file_path": "/a.jpg", "vote_average": 5.1}], "backdrops": []},
        "watch/providers": {"results": {"US": {"link": "l", "flatrate": [row(8)]}}},
        "external_ids": {"imdb_id": "tt0133093"},
        "translations": {"translations": [row(1)]},
        "alternative_titles": {"titles": [row(1)]},
    })
}

/// Values that do not belong where they are put.
fn odd(dice: &mut Dice) -> Value {
    let long = "ü\u{200b}\r\n'\"\\".repeat(2_000);
    let odd = [
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e308),
        json!(-0.5),
        json!(""),
        json!("\u{0}a\u{0}"),
        json!("1e999"),
        json!("NaN"),
        json!("0000-00-00"),
        json!("99999-12-31"),
        json!("2024-02-30"),
        json!("tt"),
        json!("tt99999999999999999999"),
        json!(long),
        json!([]),
        json!({}),
        json!([null, 1, "x", [], {}]),
        json!([[[[{}]]]]),
        json!({"results": null}),
        json!({"results": {"a": 1}}),
        json!({"cast": [1, null, {"credit_id": "c"}, {"credit_id": "c"}], "crew": "x"}),
    ];
    odd[dice.below(odd.len())].clone()
}

/// Changes one place, at most `depth` levels below.
fn spoil(value: &mut Value, dice: &mut Dice, depth: usize) {
    let here = depth == 0 || dice.below(3) == 0;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let key = fields.keys().nth(dice.below(fields.len())).unwrap().clone();
            if here {
                spoil_field(fields, key, dice);
            } else {
                spoil(fields.get_mut(&key).unwrap(), dice, depth - 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = dice.below(items.len());
            if here {
                spoil_item(items, at, dice);
            } else {
                spoil(&mut items[at], dice, depth - 1);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => *value = odd(dice),
    }
}

fn spoil_item(items: &mut Vec<Value>, at: usize, dice: &mut Dice) {
    match dice.below(4) {
        0 => {
            items.remove(at);
        }
        1 => items.push(items[at].clone()),
        2 => items.reverse(),
        _ => items[at] = odd(dice),
    }
}

fn spoil_field(fields: &mut Map<String, Value>, key: String, dice: &mut Dice) {
    match dice.below(4) {
        0 => fields.remove(&key),
        1 => fields.insert(format!("unknown\u{0}{key}"), odd(dice)),
        _ => fields.insert(key, odd(dice)),
    };
}

#[test]
fn arbitrary_answers_map_to_what_every_column_can_hold() {
    let cases = std::env::var("MANGOES_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    let asked = TmdbId::try_from(603).unwrap();
    let mut mapped = 0;
    for case in 0..cases {
        let mut dice = Dice(case);
        let mut body = realistic();
        for _ in 0..=dice.below(8) {
            spoil(&mut body, &mut dice, 4);
        }
        let text = body.to_string();
        // A panic names its case: the body follows from its number.
        let result = std::panic::catch_unwind(|| {
            let Ok(look) = look(&text, asked) else { return false };
            assert_storable(&look);
            // It is read back as the old side of the next comparison.
            let (row, mut merged) = (AppRow::default(), None);
            let sides = look.merge(Some(&text), &row, &mut merged);
            assert_eq!(diff(&sides.before.unwrap(), &sides.movie), Default::default());
            assert_eq!(sides.movie.prints().fingerprint(), look.fingerprint);
            true
        });
        mapped += u64::from(result.unwrap_or_else(|_| panic!("case {case}: {text}")));
        // Cut off anywhere, it is refused.
        let cut = text.floor_char_boundary(dice.below(text.len() - 1));
        assert!(look(&text[..cut], asked).is_err(), "case {case} cut at {cut}");
    }
    println!("{mapped} of {cases} bodies map");
    assert!(
        mapped > cases / 2 && mapped < cases,
        "the changes are too strong or too weak to prove anything"
    );
}

#[test]
fn the_realistic_answer_has_every_part() {
    for part in PARTS {
        assert!(realistic().get(part).is_some(), "{part}");
    }
}
