//! Every card and every row of details that a movie can have decodes in the app. Pure: no servers.
//!
//! The recordings are no part of this project: without the folder (`MANGOES_RECORDED`, else
//! `../shared/tmdb-recorded`) the test over them says so and passes.

use std::fs;

use catalogue::{AppRow, Body, MapOptions, Movie};
use proto::TmdbId;
use serde_json::{Value, json};
use tests::{
    Dice,
    app::{Card, Details, ShortCard, decode},
};
use time::{OffsetDateTime, macros::datetime};
use tmdb::read_movie;

use crate::recorded::recordings;

const AT: OffsetDateTime = datetime!(2026-11-24 11:00 UTC);
const LATER: OffsetDateTime = datetime!(2026-11-25 11:00 UTC);
/// Rows of the app that the test spoils, each in one to eight places.
const SPOILED_ROWS: usize = 3_000;
const OWN: &str = "https://app.example/storage/v1/object/public/movie-images";

/// The movie of a body; both stay until the test ends.
fn mapped(body: &[u8]) -> Movie<'static> {
    let sent: Value = serde_json::from_slice(body).unwrap();
    let id = TmdbId::try_from(sent["id"].as_i64().unwrap()).unwrap();
    let options = MapOptions {
        language: "en-US".to_owned(),
        region: "US".to_owned(),
        streaming_regions: ["US", "DE", "GB"].map(ToOwned::to_owned).to_vec(),
    };
    let body = Body { text: String::from_utf8(body.to_vec()).unwrap(), packed: None };
    let look = Box::leak(Box::new(read_movie(body, id, &options.into()).unwrap()));
    look.merge(None, Box::leak(Box::default()), Box::leak(Box::default())).movie.into_owned()
}

/// What the app reads of a movie that is stored on these rows.
struct Read {
    details: Details,
    card: Card,
    short: ShortCard,
    etag: String,
    /// The rows after the save.
    row: AppRow,
}

fn read(movie: &Movie<'_>, row: &AppRow, at: OffsetDateTime) -> Read {
    let details = catalogue::details(movie, row, at);
    let card = catalogue::card(5, movie, row, at);
    Read {
        row: AppRow::read(Some(&details), Some(&card.full)),
        details: decode(&details),
        card: decode(&card.full),
        short: decode(&card.short),
        etag: card.etag,
    }
}

/// What the readers take for granted beyond the types.
fn assert_consistent(movie: &Movie<'_>, read: &Read) {
    let Read { details, card, short, .. } = read;
    let id = movie.tmdb_id.to_string();
    assert_eq!((&card.tmdb_id, &short.tmdb_id), (&id, &id));
    assert_eq!(card.poster.as_ref().unwrap().medium, short.poster, "{id}");
    assert_eq!(card.certification, details.certification, "{id}");
    assert_eq!(card.streaming, details.streaming, "{id}");
    assert_eq!(card.trailers, details.trailers, "{id}");
    assert!(card.trailers.as_ref().is_none_or(|trailers| !trailers.is_empty()), "{id}");
    let [low, high] = card.ai_score_range.unwrap();
    let score = card.ai_score.unwrap();
    assert!((0.0..=100.0).contains(&low) && low <= score && score <= high, "{id}: {score}");
    assert!(high <= 100.0 && (score - short.ai_score).abs() < f64::EPSILON, "{id}: {high}");
    assert_eq!(details.schema_version, 4, "{id}");
    for member in card.cast.iter().flatten() {
        let gender = member.gender.as_deref().unwrap();
        assert!(["female", "male", "unknown"].contains(&gender), "{id}: {gender}");
    }
}

#[test]
fn every_recorded_movie_decodes_in_the_app() {
    let Some(folder) = recordings() else {
        eprintln!("SKIPPED: no recorded answers; set MANGOES_RECORDED to their folder");
        return;
    };
    let mut movies = 0;
    for entry in fs::read_dir(folder.join("movie")).unwrap() {
        let movie = mapped(&fs::read(entry.unwrap().path()).unwrap());
        let first = read(&movie, &AppRow::default(), AT);
        assert_consistent(&movie, &first);
        let again = read(&movie, &first.row, LATER);
        assert_eq!(again.etag, first.etag, "{}: the same movie again", movie.tmdb_id);
        let adopted = first.row.movie(&movie).unwrap();
        let third = read(&adopted, &first.row, LATER);
        assert_eq!(third.card.cast, first.card.cast, "{}", movie.tmdb_id);
        assert_eq!(third.details.crew_members, first.details.crew_members, "{}", movie.tmdb_id);
        assert_eq!(third.details.trailers, first.details.trailers, "{}", movie.tmdb_id);
        movies += 1;
    }
    assert!(movies > 1_000, "only {movies} movies");
}

#[test]
fn a_movie_of_which_nothing_is_known_decodes_in_the_app() {
    let empty = json!({
        "id": 7, "title": "", "release_date": "", "genres": [], "spoken_languages": [],
        "credits": { "cast": [], "crew": [] }, "videos": { "results": [] },
        "keywords": { "keywords": [] }, "watch/providers": { "results": {} },
    });
    for body in [json!({ "id": 7 }), empty] {
        let movie = mapped(body.to_string().as_bytes());
        let read = read(&movie, &AppRow::default(), AT);
        assert_consistent(&movie, &read);
        assert_eq!((read.card.year, read.card.streaming), (None, None));
        assert_eq!((read.card.ai_score, read.card.ai_score_range), (Some(0.0), Some([0.0, 5.0])));
        assert_eq!(read.card.still_images, Some(Vec::new()));
        assert_eq!(read.details.trailers, None);
    }
}

/// A body in which TMDB's values have types that it does not promise.
#[test]
fn an_odd_answer_decodes_in_the_app() {
    let offer = json!({ "provider_id": 8, "provider_name": "N", "logo_path": 7 });
    let body = json!({
        "id": 7, "title": "T", "vote_average": "8.2", "vote_count": 5, "runtime": "136",
        "release_date": "1999-03-30", "genres": [{ "name": 5 }, { "name": "Action" }],
        "spoken_languages": [{ "iso_639_1": "xx" }, { "name": "Polski" }],
        "credits": {
            "cast": [{ "id": 1, "name": null }, { "id": 2, "name": "B", "order": "0" }, [], 5],
            "crew": [{ "id": 1, "name": "A", "job": null }, { "id": 2, "job": "Director" }],
        },
        "videos": { "results": [{ "site": "YouTube", "key": "k", "name": null, "type": "Clip" }] },
        "watch/providers": { "results": { "US": { "link": 5, "flatrate": [offer], "rent": {} } } },
    });
    let movie = mapped(body.to_string().as_bytes());
    let read = read(&movie, &AppRow::default(), AT);
    assert_consistent(&movie, &read);
    let us = read.card.streaming.unwrap().us.unwrap();
    assert_eq!(us.flatrate.unwrap()[0].provider_id, 8);
    assert_eq!((us.rent, us.link), (None, None));
    assert_eq!(read.card.cast.unwrap().len(), 1);
    assert_eq!(read.details.crew_members, Some(Vec::new()));
    assert_eq!(read.details.spoken_languages, Some(vec!["xx".to_owned(), "Polski".to_owned()]));
}

#[test]
fn what_only_the_app_makes_survives_and_decodes() {
    let details = json!({
        "poster_url_medium": format!("{OWN}/posters/5_medium.jpg"),
        "trailer_thumbnail": format!("{OWN}/trailers/5.jpg"),
        "still_images": [format!("{OWN}/stills/5_1.jpg")],
        "cast_members": [{ "person_id": "2", "photo_url_small": format!("{OWN}/cast/2.jpg") }],
    });
    let card = json!({ "similar_movie_ids": [604], "tmdb_id": 603, "year": "1999", "cast": {} });
    let row = AppRow::read(Some(&details), Some(&card));
    let body = json!({
        "id": 603, "title": "T", "poster_path": "/p.jpg",
        "credits": { "crew": [], "cast": [{ "id": 2, "name": "B", "profile_path": "/f.jpg" }] },
    });
    let movie = mapped(body.to_string().as_bytes());
    let card = read(&movie, &row, AT).card;
    let own = |path: &str| Some(format!("{OWN}/{path}"));
    assert_eq!(card.poster.unwrap().medium, own("posters/5_medium.jpg"));
    assert_eq!(card.trailer_thumbnail, own("trailers/5.jpg"));
    assert_eq!(card.still_images.unwrap()[0], own("stills/5_1.jpg").unwrap());
    assert_eq!(card.cast.unwrap()[0].photo_url_small, own("cast/2.jpg"));
    assert_eq!(card.similar_movie_ids, Some(vec![604]));
}

/// A movie of which everything is known.
fn whole() -> Movie<'static> {
    let people: Vec<Value> = (1..4)
        .map(|n| json!({ "id": n, "name": "N", "job": "Director", "gender": n, "order": n }))
        .collect();
    let offer = json!({ "provider_id": 8, "provider_name": "N" });
    let body = json!({
        "id": 603, "title": "T", "poster_path": "/p.jpg", "backdrop_path": "/b.jpg",
        "release_date": "1999-03-30", "runtime": 136, "genres": [{ "name": "Action" }],
        "credits": { "cast": people, "crew": people },
        "keywords": { "keywords": [{ "name": "k" }] },
        "videos": {
            "results": [{ "site": "YouTube", "key": "k", "name": "N", "type": "Trailer" }],
        },
        "watch/providers": { "results": { "US": { "link": "l", "flatrate": [offer] } } },
        "vote_average": 8.22, "vote_count": 5,
    });
    mapped(body.to_string().as_bytes())
}

/// Puts something else in the place of one value inside this one.
fn spoil(value: &mut Value, dice: &mut Dice) {
    let odd = [json!(null), json!(-7.5), json!("x"), json!([{}, 1, "y"]), json!({ "us": [1] })];
    let inside: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let count = u64::try_from(inside.len()).unwrap();
    let place = usize::try_from(dice.roll(count + 1)).unwrap();
    match inside.into_iter().nth(place) {
        Some(inner) => spoil(inner, dice),
        None => *value = dice.pick(&odd).clone(),
    }
}

/// Whatever stands in the rows before a save: after it the app can read them, also where the answer
/// lacked every part, so that the rows themselves are what is kept.
#[test]
fn whatever_the_rows_held_the_app_can_read_them_after_a_save() {
    let (movie, dice) = (whole(), &mut Dice(1));
    let bare = mapped(&json!({ "id": 603, "title": "T" }).to_string().into_bytes());
    let clean = AppRow::default();
    let details = catalogue::details(&movie, &clean, AT);
    let card = catalogue::card(5, &movie, &clean, AT).full;
    let mut kept = 0;
    for _ in 0..SPOILED_ROWS {
        let (mut details, mut card) = (details.clone(), card.clone());
        for _ in 0..=dice.roll(8) {
            spoil(&mut details, dice);
            spoil(&mut card, dice);
        }
        // Stills stay as they are, and nobody reads them there.
        details.as_object_mut().map(|columns| columns.remove("still_images"));
        let row = AppRow::read(Some(&details), Some(&card));
        let mut answer = bare.clone();
        if let Some(stored) = row.movie(&bare) {
            answer.keep_missing(&stored);
            kept += usize::from(answer.cast_members.is_some());
        }
        for movie in [&movie, &answer] {
            assert_consistent(movie, &read(movie, &row, LATER));
        }
    }
    assert!(kept > SPOILED_ROWS / 10, "only {kept} rows kept their cast");
}
