//! What an answer says, what makes a change and what does not, and what a bad answer may not erase.

mod diffs;
mod meaning;
mod met;
mod texts;

use serde_json::{Value, json};

use super::*;
use crate::{
    answer::PARTS,
    diff::diff,
    document::unpack,
    parts::{Id, Text},
};

fn options() -> Arc<MapOptions> {
    Arc::new(MapOptions {
        language: "en-US".to_owned(),
        region: "US".to_owned(),
        streaming_regions: vec!["US".to_owned()],
    })
}

fn look(answer: &Value) -> Look {
    Look::read(Body { text: answer.to_string(), packed: None }, options()).unwrap()
}

/// What the answer alone says.
fn with_movie<T>(answer: &Value, then: impl FnOnce(&Movie<'_>) -> T) -> T {
    then(&look(answer).merge(None, &AppRow::default(), &mut None).movie)
}

/// A whole answer.
fn answer() -> Value {
    let image = |n: i64| json!({"file_path": format!("/{n}.jpg"), "width": 1, "vote_count": n});
    let person = |n: i64| {
        json!({"id": n, "name": format!("N{n}"), "job": "Director", "order": n,
            "credit_id": format!("c{n}"), "popularity": n})
    };
    let provider = |n: i64| {
        json!({"provider_id": n, "provider_name": "P", "logo_path": format!("/{n}.jpg"),
            "display_priority": n})
    };
    let title = |text: &str| json!({"iso_3166_1": "US", "title": text, "type": ""});
    json!({
        "id": 7, "title": "T", "original_title": "O", "release_date": "1999-03-30",
        "overview": "Plot", "vote_average": 8.0, "vote_count": 5, "popularity": 2.5,
        "genres": [{"id": 1, "name": "Action"}, {"id": 2, "name": "Drama"}],
        "spoken_languages": [], "production_companies": [], "production_countries": [],
        "belongs_to_collection": null,
        "credits": {"cast": [person(1), person(2)], "crew": [person(3), person(4)]},
        "videos": {"results": [{"site": "YouTube", "key": "k", "name": "N", "type": "Trailer",
            "published_at": "2024-01-02T03:04:05.000Z"}]},
        "similar": {"results": [{"id": 8}]},
        "recommendations": {"results": []},
        "release_dates": {"results": [{"iso_3166_1": "US", "release_dates": [
            {"type": 3, "certification": "R", "release_date": "1999-03-30T00:00:00.000Z"},
        ]}]},
        "images": {"posters": [image(1), image(2)], "backdrops": [], "logos": []},
        "keywords": {"keywords": [{"id": 1, "name": "k1"}, {"id": 2, "name": "k2"}]},
        "watch/providers": {"results": {"US": {"link": "l", "rent": [provider(8), provider(9)]}}},
        "external_ids": {"imdb_id": "tt1"},
        "translations": {"translations": [{"iso_639_1": "de", "data": {"title": "D"}}]},
        "alternative_titles": {"titles": [title("A"), title("B")]},
    })
}

/// An answer in which one value is another.
fn edited(pointer: &str, value: Value) -> Value {
    let mut answer = answer();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    let parent = answer.pointer_mut(parent).unwrap();
    match key.parse::<usize>() {
        Ok(item) => parent[item] = value,
        Err(_) => parent[&key] = value,
    }
    answer
}

fn reversed(pointer: &str) -> Value {
    let mut answer = answer();
    answer.pointer_mut(pointer).unwrap().as_array_mut().unwrap().reverse();
    answer
}

fn is_the_same(other: &Value) -> bool {
    look(&answer()).fingerprint == look(other).fingerprint
}

#[test]
fn the_order_of_a_list_is_no_change() {
    for list in [
        "/genres",
        "/credits/cast",
        "/credits/crew",
        "/images/posters",
        "/keywords/keywords",
        "/watch~1providers/results/US/rent",
        "/alternative_titles/titles",
    ] {
        assert!(is_the_same(&reversed(list)), "{list}");
    }
}

#[test]
fn votes_and_popularity_are_no_change() {
    for (pointer, value) in [
        ("/vote_average", json!(3.3)),
        ("/vote_count", json!(6)),
        ("/popularity", json!("9.9")),
        ("/images/posters/0/vote_count", json!(99)),
        ("/credits/cast/0/popularity", json!(99.9)),
        ("/similar/results", json!([{"id": 9}])),
    ] {
        assert!(is_the_same(&edited(pointer, value)), "{pointer}");
    }
}

#[test]
fn ranks_and_logos_of_providers_are_no_change() {
    let rent = "/watch~1providers/results/US/rent/0";
    for (key, value) in [("display_priority", json!(99)), ("logo_path", json!("/new.jpg"))] {
        assert!(is_the_same(&edited(&format!("{rent}/{key}"), value)), "{key}");
    }
    assert!(!is_the_same(&edited(&format!("{rent}/provider_id"), json!(99))));
}

#[test]
fn the_notation_of_a_date_is_no_change() {
    let release = "/release_dates/results/0/release_dates/0/release_date";
    let published = "/videos/results/0/published_at";
    for (pointer, same, other) in [
        (release, "1999-03-30", "1999-03-31"),
        (published, "2024-01-02 03:04:05 UTC", "2024-01-02 03:04:06 UTC"),
    ] {
        assert!(is_the_same(&edited(pointer, json!(same))), "{same}");
        assert!(!is_the_same(&edited(pointer, json!(other))), "{other}");
    }
}

#[test]
fn an_unknown_new_key_is_no_change() {
    for place in [
        "",
        "/credits/cast/0",
        "/videos/results/0",
        "/images",
        "/images/posters/0",
        "/external_ids",
        "/translations/translations/0",
        "/release_dates/results/0/release_dates/0",
        "/watch~1providers/results/US/rent/0",
    ] {
        assert!(is_the_same(&edited(&format!("{place}/new_key"), json!({"a": [1]}))), "{place}");
    }
}

#[test]
fn what_a_person_would_see_is_a_change_and_is_named() {
    for (pointer, value, field) in [
        ("/title", json!("Other"), "title"),
        ("/overview", json!("Another"), "overview"),
        ("/genres/0/name", json!("Horror"), "genres"),
        ("/credits/cast/0/character", json!("C"), "cast_members"),
        ("/credits/crew", json!([]), "crew_members"),
        ("/keywords/keywords/1/name", json!("k3"), "keywords"),
        ("/belongs_to_collection", json!({"id": 5, "name": "C"}), "collection"),
        ("/images/posters/0/file_path", json!("/9.jpg"), "posters"),
        ("/external_ids/wikidata_id", json!("Q1"), "external_ids"),
        ("/translations/translations/0/data/title", json!("E"), "translations"),
        ("/watch~1providers/results/US/link", json!("m"), "streaming"),
    ] {
        let other = edited(pointer, value);
        assert!(!is_the_same(&other), "{pointer}");
        let (old, new) = (answer().to_string(), look(&other));
        let (row, mut body) = (AppRow::default(), None);
        let merged = new.merge(Some(&old), &row, &mut body);
        let changed = diff(&merged.before.unwrap(), &merged.movie);
        assert_eq!(changed.keys().collect::<Vec<_>>(), [field], "{pointer}");
    }
}

/// Merged answers are what is stored: mapped again, they say the same.
#[test]
fn a_part_that_the_answer_lacks_is_that_of_the_stored_answer() {
    assert!(!look(&answer()).is_incomplete);
    let old = answer().to_string();
    let lists = ["genres", "spoken_languages", "belongs_to_collection"];
    for part in PARTS.into_iter().chain(lists) {
        for odd in [Value::Null, json!("gone"), json!([1])] {
            let mut bare = edited("/title", json!("Other"));
            let is_list = |key| key == "genres" || key == "spoken_languages";
            if odd.is_null() || part == "belongs_to_collection" {
                bare.as_object_mut().unwrap().remove(part);
            } else if odd.is_array() && is_list(part) {
                continue;
            } else {
                bare[part] = odd;
            }
            let new = look(&bare);
            assert!(new.is_incomplete, "{part}");
            let (row, mut body) = (AppRow::default(), None);
            let merged = new.merge(Some(&old), &row, &mut body);
            let changed = diff(&merged.before.unwrap(), &merged.movie);
            assert_eq!(changed.keys().collect::<Vec<_>>(), ["title"], "{part}");
            assert_eq!(merged.prints, merged.movie.prints(), "{part}");
            let print = merged.prints.fingerprint();
            let kept = merged.movie.offers_are_kept;
            assert_eq!(kept, part == "watch/providers");
            let stored = unpack(&new.packed(body.as_deref()), 1 << 20).unwrap();
            let again = Look::read(Body { text: stored, packed: None }, options()).unwrap();
            assert_eq!((again.fingerprint, again.is_incomplete), (print, false), "{part}");
        }
    }
}

#[test]
fn one_emptied_part_is_meant_several_are_a_truncated_answer() {
    let old = answer().to_string();
    let fields = |answer: &Value| -> Vec<String> {
        let (new, row, mut body) = (look(answer), AppRow::default(), None);
        let merged = new.merge(Some(&old), &row, &mut body);
        diff(&merged.before.unwrap(), &merged.movie).into_keys().collect()
    };
    let mut emptied = answer();
    emptied["keywords"]["keywords"] = json!([]);
    assert_eq!(fields(&emptied), ["keywords"]);
    emptied["genres"] = json!([]);
    assert_eq!(fields(&emptied), ["genres", "keywords"]);
    emptied["videos"]["results"] = json!([]);
    assert_eq!(fields(&emptied), Vec::<String>::new());
}

#[test]
fn a_certificate_stays_where_the_answer_has_none() {
    let row = AppRow::read(Some(&json!({"certification": "PG"})), None);
    let (old, mut body) = (answer().to_string(), None);
    let new = look(&edited("/release_dates/results", json!([])));
    let merged = new.merge(Some(&old), &row, &mut body);
    assert_eq!(merged.movie.certification.as_deref(), Some("PG"));
}

/// An adopted movie whose first answers lacked its cast: the app's row is all that is known of it.
#[test]
fn what_no_answer_ever_had_stays_as_the_app_has_it() {
    let cast = json!([{"person_id": "5", "name": "By the app"}]);
    let row = AppRow::read(Some(&json!({"cast_members": cast})), None);
    let mut bare = edited("/title", json!("Other"));
    bare.as_object_mut().unwrap().remove("credits");
    let stored = bare.to_string();
    for stored in [None, Some(stored.as_str())] {
        let (new, mut body) = (look(&bare), None);
        let movie = new.merge(stored, &row, &mut body).movie;
        assert_eq!(movie.cast_members.as_ref().unwrap()[0].name.as_deref(), Some("By the app"));
    }
}

#[test]
fn a_stored_answer_that_cannot_be_read_is_as_if_there_were_none() {
    let (new, row) = (look(&answer()), AppRow::default());
    for stored in ["", "[]", "{\"id\": 7"] {
        assert!(new.merge(Some(stored), &row, &mut None).before.is_none(), "{stored}");
    }
    for body in ["", "[]", "7", "{}", "{\"id\": \"7\"}", "{\"id\": 7,", "{\"id\": 0}"] {
        let body = Body { text: body.to_owned(), packed: None };
        assert!(Look::read(body.clone(), options()).is_err(), "{body:?}");
    }
}

#[test]
fn unknown_values_are_null() {
    let odd = json!({
        "id": 7, "title": "", "original_title": "O", "release_date": "", "runtime": 0,
        "budget": 0, "revenue": 2_923_706_026_i64, "imdb_id": "", "tagline": "",
        "vote_average": 0.0, "vote_count": 0, "popularity": "1.5", "overview": "a\u{0}b",
    });
    assert!(look(&odd).is_incomplete);
    with_movie(&odd, |m| {
        let numbers = (m.runtime_minutes, m.budget, m.revenue_worldwide);
        assert_eq!(numbers, (None, None, Some(2_923_706_026)));
        assert_eq!(
            (&*m.title, &m.release_date, &m.imdb_id, &m.tagline),
            ("O", &None, &None, &None)
        );
        assert_eq!((m.rating, m.popularity), (Rating::default(), 1.5));
        assert_eq!(m.overview.as_deref(), Some("ab"));
        assert_eq!(m.cast_members, None);
    });
}

#[test]
fn the_certificate_is_the_theatrical_one() {
    let date = |kind: i64, text: &str| json!({"type": kind, "certification": text});
    for (rows, expected) in [
        (json!([date(4, "NR"), date(2, "R"), date(3, "PG")]), Some("PG")),
        (json!([date(4, "NR"), date(2, "R"), date(3, "")]), Some("R")),
        (json!([date(4, "NR"), date(3, "")]), Some("NR")),
        (json!([]), None),
    ] {
        let answer = edited("/release_dates/results/0/release_dates", rows);
        with_movie(&answer, |m| assert_eq!(m.certification.as_deref(), expected));
    }
}

#[test]
fn credits_are_ordered_and_unique() {
    let credit = |id: &str, order: i64| json!({"credit_id": id, "order": order, "id": id});
    let cast = json!([credit("b", 5), credit("a", 0), credit("b", 6)]);
    with_movie(&edited("/credits/cast", cast), |m| {
        let ids: Vec<_> = m.cast_members.iter().flatten().map(|c| c.id.clone().unwrap()).collect();
        assert_eq!(ids, [Id::Text("a".into()), Id::Text("b".into())]);
    });
}

#[test]
fn languages_and_countries_are_called_by_name() {
    let languages = json!([
        {"english_name": "Polish", "name": "Polski", "iso_639_1": "pl"},
        {"english_name": "", "name": "Deutsch", "iso_639_1": "de"},
        {"name": "", "iso_639_1": "xx"},
        {},
    ]);
    with_movie(&edited("/spoken_languages", languages), |m| {
        assert_eq!(m.spoken_languages.as_ref().unwrap(), &["Polish", "Deutsch", "xx"]);
    });
    let countries = json!([{"iso_3166_1": "SU", "name": ""}, {"name": "Poland"}]);
    with_movie(&edited("/production_countries", countries), |m| {
        assert_eq!(m.production_countries.as_ref().unwrap(), &["SU", "Poland"]);
    });
}

#[test]
fn the_trailer_is_official_and_in_our_language() {
    let video = |key: &str, kind: &str, official: bool, language: &str| {
        json!({
            "site": "YouTube", "key": key, "type": kind, "official": official,
            "iso_639_1": language,
        })
    };
    let mut videos = vec![
        video("en", "Trailer", true, "en"),
        video("fr", "Trailer", true, "fr"),
        video("xx", "Trailer", true, "xx"),
        video("fan", "Trailer", false, "en"),
        video("teaser", "Teaser", true, "en"),
        video("clip", "Clip", true, "en"),
    ];
    let key = |text: &Text<'_>| text.as_deref().map(ToOwned::to_owned);
    for expected in [Some("en"), Some("fr"), Some("xx"), Some("fan"), Some("teaser"), None] {
        let mut answer = edited("/videos/results", json!(videos));
        answer["original_language"] = json!("fr");
        let got = with_movie(&answer, |m| key(&m.trailer_youtube_id));
        assert_eq!(got.as_deref(), expected);
        videos.remove(0);
    }
}
