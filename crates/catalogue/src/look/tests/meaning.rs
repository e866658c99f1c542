//! Meaning before bytes: whatever is written in another way is no change, and what a person would
//! see is one. By chance: an answer, one to eight edits that mean nothing, and one that does.
//!
//! The answers are three of our own and, where they are there, recorded ones: from the folder
//! `MANGOES_RECORDED`, else `../shared/tmdb-recorded`. `MANGOES_CASES` is the number of cases.

mod harmless;
mod visible;

use std::{fs, path::Path, sync::LazyLock};

use self::harmless::{Place, places};
use super::*;

/// Cases without `MANGOES_CASES`.
const CASES: usize = 3_000;

/// splitmix64: small, and the same everywhere.
pub(super) struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn one_of<'v, T>(&mut self, values: &'v [T]) -> Option<&'v T> {
        values.get(self.below(values.len()))
    }
}

/// The fields that differ where `new` comes after `old`.
pub(super) fn changed(old: &Value, new: &Value) -> Vec<String> {
    let (old, row, mut body) = (old.to_string(), AppRow::default(), None);
    let new = look(new);
    let merged = new.merge(Some(&old), &row, &mut body);
    diff(merged.before.as_ref().unwrap(), &merged.movie).into_keys().collect()
}

/// An answer that has everything in which something could move.
fn full() -> Value {
    let mut full = answer();
    let video = |key: &str, at: &str| {
        json!({"site": "YouTube", "key": key, "name": key, "type": "Trailer", "official": true,
            "iso_639_1": "en", "published_at": at})
    };
    let release = |text: &str, at: &str| {
        json!({"type": 3, "certification": text, "release_date": at, "note": "a\nb",
            "descriptors": ["violence", "gore"]})
    };
    let offer = |id: i64| json!({"provider_id": id, "provider_name": "P", "logo_path": "/l.jpg"});
    let translation = |language: &str, country: &str, text: &str| {
        json!({"iso_639_1": language, "iso_3166_1": country, "name": language,
            "data": {"title": "", "overview": text, "tagline": text, "runtime": 0}})
    };
    let more = json!({
        "runtime": 136, "budget": 63_000_000, "revenue": 463_517_383, "status": "Released",
        "tagline": "", "overview": "One line,\nand another.", "original_language": "ja",
        "imdb_id": "tt0133093", "homepage": "", "poster_path": "/p.jpg", "adult": false,
        "video": false, "origin_country": ["US", "AU"],
        "spoken_languages": [{"english_name": "English"}, {"english_name": "Japanese"}],
        "production_companies": [{"id": 1, "name": "A"}, {"id": 2, "name": "B"}],
        "production_countries": [{"iso_3166_1": "US", "name": "United States of America"}],
        "belongs_to_collection": {"id": 2344, "name": "The Matrix Collection"},
        "videos": {"results": [
            video("a", "2024-07-05T19:01:00.000Z"), video("b", "2024-07-05T19:01:00.000Z"),
            video("c", "2024-07-04T00:00:00.000Z"),
        ]},
        "release_dates": {"results": [
            {"iso_3166_1": "US", "release_dates": [
                release("R", "1999-03-31T00:00:00.000Z"), release("PG", "1999-03-30T00:00:00.000Z"),
                release("NR", "1999-03-30T00:00:00.000Z"),
            ]},
            {"iso_3166_1": "DE", "release_dates": [release("16", "1999-06-17T10:20:00.000Z")]},
            {"iso_3166_1": "US", "release_dates": [release("X", "1999-03-29T22:00:00.000Z")]},
            {"iso_3166_1": "FR"},
        ]},
        "translations": {"translations": [
            translation("en", "US", ""), translation("en", "GB", "British"),
            translation("en", "AU", "Australian"), translation("ja", "JP", "Japanese"),
            translation("ja", "JP", "Again"), {"iso_639_1": "fr", "iso_3166_1": "FR"},
        ]},
        "similar": {"results": [{"id": 8}, {"id": 9}]},
        "recommendations": {"results": [{"id": 8, "popularity": 1.5}]},
    });
    full.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    full["credits"]["cast"][1]["order"] = json!(1);
    full["credits"]["cast"][0]["gender"] = json!(2);
    let twice = json!([
        {"id": 5, "name": "Twice", "character": "One", "order": 3, "credit_id": "c5"},
        {"id": 5, "name": "Twice", "character": "Two", "order": 3, "credit_id": "c5"},
    ]);
    full["credits"]["cast"].as_array_mut().unwrap().extend(twice.as_array().unwrap().clone());
    full["watch/providers"]["results"]["US"]["flatrate"] = json!([offer(8), offer(9)]);
    full
}

/// An answer with texts from translations, and without what may be absent.
fn bare() -> Value {
    let mut bare = full();
    bare["overview"] = json!("");
    for key in ["belongs_to_collection", "external_ids", "adult", "video", "origin_country"] {
        bare.as_object_mut().unwrap().remove(key);
    }
    bare["images"] = json!({});
    bare
}

/// What cases begin with.
struct Base {
    name: String,
    answer: Value,
    places: Vec<Place>,
}

impl Base {
    fn of(name: String, answer: Value) -> Self {
        Self { places: places(&answer), name, answer }
    }
}

/// Recorded answers, read once for both tests.
static RECORDED: LazyLock<Vec<Base>> = LazyLock::new(recorded);

fn recorded() -> Vec<Base> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/tmdb-recorded");
    let folder = std::env::var_os("MANGOES_RECORDED").map_or(beside, Into::into).join("movie");
    let Ok(files) = fs::read_dir(&folder) else {
        eprintln!("SKIPPED: no recorded answers at {}", folder.display());
        return Vec::new();
    };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let bodies = files.into_iter().filter_map(|file| {
        let answer: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).ok()?;
        let is_movie = answer.get("id").is_some_and(Value::is_i64);
        is_movie.then(|| Base::of(file.display().to_string(), answer))
    });
    bodies.collect()
}

/// Half of the cases are of our own answers, half of the recorded ones.
fn cases(mut check: impl FnMut(&Base, &mut Dice)) {
    let cases = std::env::var("MANGOES_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    let own = [("full", full()), ("bare", bare()), ("usual", answer())];
    let own = own.map(|(name, answer)| Base::of(name.to_owned(), answer));
    let recorded = &*RECORDED;
    let mut of_recorded = 0;
    for case in 0..cases {
        let is_own = case % 2 == 0 || recorded.is_empty();
        of_recorded += usize::from(!is_own);
        let bases = if is_own { &own[..] } else { recorded };
        let mut dice = Dice(u64::try_from(case).unwrap());
        check(&bases[(case / 2) % bases.len()], &mut dice);
    }
    eprintln!("{cases} cases, {of_recorded} of them of {} recorded answers", recorded.len());
}

#[test]
fn what_is_written_in_another_way_is_no_change() {
    let mut same_prints = 0;
    cases(|Base { name, answer, places }, dice| {
        let mut other = answer.clone();
        let edits = harmless::edit(&mut other, places, dice);
        let changed = changed(answer, &other);
        assert!(changed.is_empty(), "{name}: {changed:?} by {edits:#?}");
        same_prints += usize::from(look(answer).fingerprint == look(&other).fingerprint);
    });
    eprintln!("{same_prints} of them have the same fingerprint, too");
}

/// Each edit that a person would see names its field, and nothing else.
#[test]
fn what_a_person_would_see_is_a_change_by_chance_too() {
    let mut edited = 0;
    cases(|Base { name, answer, places }, dice| {
        let mut other = answer.clone();
        let Some(field) = visible::edit(&mut other, dice) else { return };
        edited += 1;
        let edits = harmless::edit(&mut other, places, dice);
        assert_eq!(changed(answer, &other), [field], "{name}: {edits:#?}");
    });
    eprintln!("{edited} of them have what a person would see");
}
