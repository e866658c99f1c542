//! Rows that another program filled, as the stored side of a comparison; and what makes no change.

use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

use super::{AT, movie, offers, row_of_app, saved, shown_offers};
use crate::{
    AppRow, Id, Movie,
    app::{SIMILAR_MAX, card, details},
};

const LATER: OffsetDateTime = datetime!(2026-11-25 13:00 +2);

/// The parts of an answer, all with this content.
fn parts(value: &Value) -> Value {
    let names = [
        "genres",
        "cast_members",
        "crew_members",
        "trailers",
        "keywords",
        "streaming",
        "spoken_languages",
        "production_companies",
        "production_countries",
        "collection",
    ];
    names.into_iter().map(|name| (name.to_owned(), value.clone())).collect()
}

/// The answer after it was compared with adopted rows.
fn merged<'a>(mut answer: Movie<'a>, row: &'a AppRow) -> Movie<'a> {
    let stored = row.movie(&answer).unwrap();
    answer.keep_missing(&stored);
    answer
}

#[test]
fn a_row_of_the_app_gives_itself_back_where_the_answer_lacks_everything() {
    let row = saved(&movie(&json!({})), &row_of_app());
    let answer = merged(movie(&parts(&Value::Null)), &row);
    assert_eq!(details(&answer, &row, LATER), *row.details.as_ref().unwrap());
    let (before, after) = (card(5, &movie(&json!({})), &row, AT), card(5, &answer, &row, LATER));
    assert_eq!(after.etag, before.etag);
    assert_eq!(after.full["streaming"]["updated_at"], before.full["streaming"]["updated_at"]);
}

#[test]
fn a_truncated_answer_empties_no_adopted_row() {
    let row = saved(&movie(&json!({})), &row_of_app());
    let mut empty = json!({});
    for part in ["cast_members", "crew_members", "trailers", "keywords", "genres"] {
        empty[part] = json!([]);
    }
    let table = details(&merged(movie(&empty), &row), &row, AT);
    assert_eq!(table, *row.details.as_ref().unwrap());
    let one = merged(movie(&json!({ "cast_members": [] })), &row);
    assert_eq!(details(&one, &row, AT)["cast_members"], json!([]), "one alone is meant");
}

#[test]
fn a_stored_certificate_is_never_erased() {
    let row = AppRow::read(Some(&json!({ "certification": "PG-13" })), None);
    for (answer, stored) in [(Value::Null, "PG-13"), (json!("R"), "R")] {
        let answer = movie(&json!({ "certification": answer }));
        let answer = merged(answer, &row);
        assert_eq!(card(5, &answer, &row, AT).full["certification"], stored);
        assert_eq!(details(&answer, &row, AT)["certification"], stored);
    }
}

#[test]
fn ids_that_are_no_numbers_and_genders_come_back_as_they_were() {
    let people = json!([
        { "person_id": "p-7", "name": "A", "gender": "unknown" },
        { "person_id": "8", "name": "B", "gender": "female" },
    ]);
    let row = AppRow::read(Some(&json!({ "cast_members": people })), None);
    let answer = merged(movie(&parts(&Value::Null)), &row);
    assert_eq!(answer.cast_members.as_ref().unwrap()[1].id, Some(Id::Number(8)));
    let cast = &details(&answer, &row, AT)["cast_members"];
    for n in [0, 1] {
        for key in ["person_id", "name", "gender"] {
            assert_eq!(cast[n][key], people[n][key]);
        }
    }
}

#[test]
fn rows_of_wrong_types_are_as_if_they_were_absent() {
    let whole = movie(&json!({}));
    let (table, clean) = (details(&whole, &AppRow::default(), AT), AppRow::default());
    let clean = card(5, &whole, &clean, AT);
    let odd = [json!("text"), json!(7), json!(true), json!([7, "x", null]), json!({"a": 1})];
    for odd in odd {
        let mut row: Value =
            table.as_object().unwrap().keys().map(|name| (name.clone(), odd.clone())).collect();
        // Stills of whatever shape are the app's, and text is a text.
        row["still_images"] = Value::Null;
        for text in ["trailer_thumbnail", "poster_url_small", "poster_url_medium"] {
            row[text] = json!(7);
        }
        for text in ["poster_url_large", "poster_url_original", "backdrop_url"] {
            row[text] = json!([]);
        }
        row["backdrop_url_mobile"] = json!({});
        row["schema_version"] = json!("9");
        let keys = clean.full.as_object().unwrap().keys();
        let payload: Value = keys
            .filter(|key| !["backdrop", "trailer_thumbnail"].contains(&key.as_str()))
            .map(|key| (key.clone(), odd.clone()))
            .chain([("similar_movie_ids".to_owned(), json!(["604"]))])
            .collect();
        for row in [
            AppRow::read(Some(&row), Some(&payload)),
            AppRow::read(Some(&odd), Some(&json!([odd]))),
        ] {
            assert!(row.details.is_none() || row.movie(&whole).is_some());
            let stills = row.card.get("still_images").and_then(Value::as_array);
            if stills.is_none() {
                assert_eq!(details(&whole, &row, AT), table, "{odd}");
            }
            let got = card(5, &whole, &row, AT);
            assert!(got.full.get("similar_movie_ids").is_none());
            assert_eq!(got.full["cast"], clean.full["cast"], "{odd}");
            assert_eq!(got.short, clean.short, "{odd}");
        }
    }
    assert!(AppRow::read(None, Some(&json!({}))).movie(&whole).is_none(), "no row of details");
}

#[test]
fn the_etag_changes_with_the_card_and_not_with_the_time() {
    let (now, row) = (movie(&json!({})), AppRow::default());
    let first = card(5, &now, &row, AT);
    let again = card(5, &now, &saved(&now, &row), LATER);
    assert_eq!(again.etag, first.etag);
    assert_eq!(again.full["last_updated"], "2026-11-25T11:00:00Z");
    assert_eq!(again.full["streaming"], shown_offers("2026-11-25T11:00:00Z"));
    for other in [
        json!({ "title": "Other" }),
        json!({ "streaming": { "US": offers(), "DE": offers() } }),
        json!({ "vote_average": 8.3 }),
    ] {
        assert_ne!(card(5, &movie(&other), &row, AT).etag, first.etag, "{other}");
    }
}

#[test]
fn a_newer_version_of_the_shape_stays() {
    for (stored, version) in [(json!(1), 4), (json!(4), 4), (json!(5), 5), (Value::Null, 4)] {
        let row = AppRow::read(Some(&json!({ "schema_version": stored })), None);
        assert_eq!(details(&movie(&json!({})), &row, AT)["schema_version"], version);
    }
}

#[test]
fn the_app_keeps_ten_similar_movies_and_no_recommended_one() {
    let rows = |n: std::ops::RangeInclusive<i64>| -> Value {
        let rows: Value = n.map(|id| json!({ "id": id, "title": "T" })).collect();
        json!({ "results": rows })
    };
    let both = json!({ "recommendations": rows(50..=70), "similar": rows(1..=20) });
    let kept = movie(&both).similar_of_app();
    assert_eq!(kept.len(), SIMILAR_MAX);
    assert_eq!((kept[9].similar_tmdb_id.as_str(), kept[9].rank_order), ("10", 10));
    let recommended = json!({ "recommendations": rows(50..=70) });
    assert!(movie(&recommended).similar_of_app().is_empty());
}
