//! Meaning before bytes: whatever is written in another way is no change, and what a person would
//! see is one. By a table for what was met, and by chance for the rest.

use std::{fs, path::Path};

use super::*;

/// Cases of one answer of our own; `MANGOES_CASES` says another number.
const CASES: u64 = 3_000;

/// A generator whose numbers are the same each time (Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// The same answer, written in another way.
fn rewritten(value: Value, dice: &mut Dice) -> Value {
    match value {
        Value::Array(mut items) => {
            for place in (1..items.len()).rev() {
                items.swap(place, dice.below(place + 1));
            }
            items.into_iter().map(|item| rewritten(item, dice)).collect()
        }
        Value::Object(mut fields) => {
            if dice.one_in(4) {
                fields.insert(format!("new_{}", dice.below(9)), json!({"a": [1, null]}));
            }
            fields.into_iter().map(|(key, value)| field(key, value, dice)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// A field, written in another way, or moved where it moves by itself.
fn field(key: String, value: Value, dice: &mut Dice) -> (String, Value) {
    const MOVES: [&str; 5] =
        ["popularity", "vote_count", "vote_average", "display_priority", "logo_path_of_provider"];
    let value = match (key.as_str(), value) {
        (name, _) if MOVES.contains(&name) => json!(dice.below(10)),
        ("id" | "tmdb_id", value) => value,
        (_, Value::Number(number)) if number.is_i64() && dice.one_in(2) => {
            json!(number.as_f64())
        }
        ("published_at" | "release_date", Value::String(time)) if time.ends_with(".000Z") => {
            let (date, clock) = time.trim_end_matches(".000Z").split_once('T').unwrap();
            let ways =
                [time.clone(), format!("{date} {clock} UTC"), format!("{date}T{clock}+00:00")];
            json!(ways[dice.below(ways.len())])
        }
        ("overview", Value::String(text)) if !text.is_empty() => {
            json!(format!(" {}\r\n", text.replace('\n', "\r\n")))
        }
        (_, value) => rewritten(value, dice),
    };
    (key, value)
}

/// What TMDB added to all movies at once, with what it says of most.
fn with_later_keys(mut answer: Value, dice: &mut Dice) -> Value {
    let later = [
        ("softcore", json!(false)),
        ("adult", json!(false)),
        ("video", json!(false)),
        ("origin_country", json!(["US"])),
    ];
    for (key, value) in later {
        let is_absent = answer.get(key).is_none();
        if is_absent && dice.one_in(2) {
            answer[key] = value;
        }
    }
    for list in ["posters", "backdrops", "logos"] {
        let images = answer.pointer_mut(&format!("/images/{list}"));
        for image in images.and_then(Value::as_array_mut).into_iter().flatten() {
            image["iso_3166_1"] = json!("US");
        }
    }
    answer
}

fn changed(old: &Value, new: &Value) -> Vec<String> {
    let (old, new) = (look(old), look(new));
    let row = AppRow::default();
    let mut body = None;
    let document = old.packed(None);
    let document = unpack(&document, 100_000_000).unwrap();
    let merged = new.merge(Some(&document), &row, &mut body);
    let before = merged.before.as_ref().unwrap();
    diff(before, &merged.movie).into_keys().collect()
}

fn harmless(answer: &Value, dice: &mut Dice) -> Value {
    let answer = with_later_keys(answer.clone(), dice);
    rewritten(answer, dice)
}

#[test]
fn what_is_written_in_another_way_is_no_change() {
    let cases = std::env::var("MANGOES_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    let base = answer();
    for seed in 0..cases {
        let mut dice = Dice(seed);
        let other = harmless(&base, &mut dice);
        assert!(changed(&base, &other).is_empty(), "{seed}: {:?} {other}", changed(&base, &other));
    }
    let recorded =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/tmdb-recorded/movie");
    let Ok(files) = fs::read_dir(&recorded) else {
        println!("{cases} cases; SKIPPED: no recorded answers at {}", recorded.display());
        return;
    };
    let mut bodies = 0;
    for (seed, file) in (0..).zip(files) {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let Ok(body) = serde_json::from_str::<Value>(&text) else { continue };
        if body.get("id").and_then(Value::as_i64).is_none() {
            continue;
        }
        let mut dice = Dice(seed);
        let other = harmless(&body, &mut dice);
        assert!(changed(&body, &other).is_empty(), "{}: {:?}", body["id"], changed(&body, &other));
        let mut retitled = other;
        retitled["title"] = json!("Another title");
        assert_eq!(changed(&body, &retitled), ["title"], "{}", body["id"]);
        bodies += 1;
    }
    println!("{cases} cases of an answer of our own and {bodies} recorded answers");
}

/// Each edit that a person would see names its field, and nothing else.
#[test]
fn what_a_person_would_see_is_a_change_by_chance_too() {
    let edits: [(&str, Value, &str); 12] = [
        ("/title", json!("New"), "title"),
        ("/overview", json!("New"), "overview"),
        ("/runtime", json!(99), "runtime_minutes"),
        ("/release_date", json!("2001-01-01"), "release_date"),
        ("/genres/0/name", json!("Comedy"), "genres"),
        ("/credits/cast/0/name", json!("New"), "cast_members"),
        ("/credits/crew/0/job", json!("Writer"), "crew_members"),
        ("/keywords/keywords/0/name", json!("new"), "keywords"),
        ("/watch~1providers/results/US/rent/0/provider_id", json!(99), "streaming"),
        ("/images/posters/0/file_path", json!("/new.jpg"), "posters"),
        ("/adult", json!(true), "adult"),
        ("/alternative_titles/titles/0/title", json!("New"), "alternative_titles"),
    ];
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let (pointer, value, field) = &edits[dice.below(edits.len())];
        let other = harmless(&edited(pointer, value.clone()), &mut dice);
        assert_eq!(changed(&answer(), &other), [*field], "{seed}: {pointer}");
    }
}

/// What was met (public reports): keys that are new everywhere, and the way an instant is written.
#[test]
#[expect(non_snake_case, reason = "the id of the report")]
fn T3_a_new_key_and_another_notation_are_no_change() {
    for (pointer, value) in [
        ("/softcore", json!(false)),
        ("/adult", json!(false)),
        ("/video", json!(false)),
        ("/origin_country", json!(["US"])),
        ("/images/posters/0/iso_3166_1", json!("US")),
        ("/images/logos", Value::Null),
        ("/credits/cast/0/gender", json!(0)),
        ("/videos/results/0/official", json!(false)),
        ("/videos/results/0/published_at", json!("2024-01-02 03:04:05 UTC")),
        ("/release_dates/results/0/release_dates/0/descriptors", json!([])),
        ("/release_date", json!("1999-03-30T00:00:00.000Z")),
    ] {
        assert!(changed(&answer(), &edited(pointer, value)).is_empty(), "{pointer}");
    }
    assert_eq!(changed(&answer(), &edited("/softcore", json!(true))), ["softcore"]);
}

#[test]
#[expect(non_snake_case, reason = "the id of the report")]
fn T4_videos_are_in_the_configured_language_the_original_one_or_none() {
    let video = |key: &str, language: Value| {
        json!({"site": "YouTube", "key": key, "name": key, "type": "Trailer",
            "iso_639_1": language})
    };
    let videos = json!([
        video("en", json!("en")),
        video("de", json!("de")),
        video("fr", json!("fr")),
        video("none", Value::Null),
    ]);
    let mut answer = edited("/videos/results", videos);
    answer["original_language"] = json!("de");
    with_movie(&answer, |movie| {
        let shown = movie.trailers.iter().flatten().filter_map(|video| video.key.as_deref());
        assert_eq!(shown.collect::<Vec<_>>(), ["en", "de", "none"]);
        assert_eq!(movie.trailer_youtube_id.as_deref(), Some("en"));
    });
}

#[test]
#[expect(non_snake_case, reason = "the id of the report")]
fn T6_offers_are_compared_by_provider_and_kind() {
    let rent = "/watch~1providers/results/US/rent/0";
    for (key, value) in [
        ("display_priority", json!(99)),
        ("logo_path", json!("/new.jpg")),
        ("provider_name", json!("Renamed")),
    ] {
        let other = edited(&format!("{rent}/{key}"), value);
        assert!(changed(&answer(), &other).is_empty(), "{key}");
    }
    let empty = edited("/watch~1providers/results/US/buy", json!([]));
    assert!(changed(&answer(), &empty).is_empty(), "an empty kind");
    let dropped = edited("/watch~1providers/results/US/rent", json!([{"provider_id": 8}]));
    assert_eq!(changed(&answer(), &dropped), ["streaming"]);
}

/// Of equals the first one must not be taken because it comes first.
#[test]
fn the_order_of_videos_releases_and_credits_chooses_nothing() {
    let video = |key: &str, at: &str| {
        let mut video = json!({"site": "YouTube", "name": "N", "type": "Trailer"});
        (video["key"], video["published_at"]) = (key.into(), at.into());
        video
    };
    let release = |text: &str, date: &str| {
        let mut release = json!({"type": 3});
        (release["certification"], release["release_date"]) = (text.into(), date.into());
        release
    };
    let credit = |order: i64| json!({"id": 1, "name": "N", "order": order, "credit_id": "c"});
    let mut one = answer();
    one["videos"]["results"] = json!([video("a", "2024-01-01"), video("b", "2025-01-01")]);
    one["release_dates"]["results"][0]["release_dates"] =
        json!([release("R", "1999-03-31"), release("PG", "1999-04-01")]);
    one["credits"]["cast"] = json!([credit(1), credit(5)]);
    let mut two = one.clone();
    for list in ["/videos/results", "/release_dates/results/0/release_dates", "/credits/cast"] {
        two.pointer_mut(list).unwrap().as_array_mut().unwrap().reverse();
    }
    assert!(changed(&one, &two).is_empty(), "{:?}", changed(&one, &two));
    with_movie(&two, |movie| {
        assert_eq!(movie.trailer_youtube_id.as_deref(), Some("b"), "the newest");
        assert_eq!(movie.certification.as_deref(), Some("R"), "the first");
    });
}
