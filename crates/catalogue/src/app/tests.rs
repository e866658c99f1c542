//! The rows and cards of one movie, with and without rows of the app before them.

mod adopted;

use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

use super::{AppRow, SCHEMA_VERSION, Score, card, details};
use crate::{MapOptions, Movie, Rating, answer::Answer, map};
use proto::TmdbId;

const AT: OffsetDateTime = datetime!(2026-11-24 11:00 UTC);
const TMDB: &str = "https://image.tmdb.org/t/p";
const OWN: &str = "https://app.example/storage/v1/object/public/movie-images";

/// A whole movie, but for these fields.
fn movie(fields: &Value) -> Movie<'static> {
    let mut whole = json!({
        "imdb_id": "tt0133093",
        "title": "The Matrix",
        "original_title": "The Matrix",
        "release_date": "1999-03-30",
        "runtime_minutes": 136,
        "overview": "A hacker learns the truth.",
        "genres": ["Action"],
        "certification": "R",
        "poster_path": "/p.jpg",
        "backdrop_path": "/b.jpg",
        "trailers": [video("k1", "Trailer"), video("k2", "Clip")],
        "cast_members": [member(6384, "Keanu Reeves", 2), member(530, "Carrie-Anne Moss", 1)],
        "crew_members": [credit(9340, "Lana Wachowski", "Director"), credit(1, "A", "Editor")],
        "keywords": ["simulation"],
        "streaming": { "US": offers() },
        "original_language": "en",
        "spoken_languages": ["English"],
        "production_companies": [{ "id": 79, "name": "Village Roadshow", "logo_path": null }],
        "production_countries": ["United States of America"],
        "budget": 63_000_000,
        "revenue_worldwide": 463_517_383,
        "collection": { "id": 2344, "name": "The Matrix Collection" },
        "vote_average": 8.22,
        "vote_count": 26_000,
        "popularity": 80.5,
    });
    for (name, value) in fields.as_object().unwrap() {
        whole[name] = value.clone();
    }
    mapped(&answer(&whole))
}

/// TMDB's answer about a movie of these fields; a part that is null is absent.
fn answer(fields: &Value) -> Value {
    let named = |list: &Value| {
        let items = list.as_array().into_iter().flatten();
        items.map(|name| json!({ "name": name })).collect::<Value>()
    };
    let mut answer = json!({ "id": 603, "credits": {} });
    for (name, value) in fields.as_object().unwrap().iter().filter(|(_, v)| !v.is_null()) {
        match name.as_str() {
            "runtime_minutes" => answer["runtime"] = value.clone(),
            "revenue_worldwide" => answer["revenue"] = value.clone(),
            "collection" => answer["belongs_to_collection"] = value.clone(),
            "trailers" => answer["videos"] = json!({ "results": value }),
            "cast_members" => answer["credits"]["cast"] = value.clone(),
            "crew_members" => answer["credits"]["crew"] = value.clone(),
            "keywords" => answer["keywords"] = json!({ "keywords": named(value) }),
            "streaming" => answer["watch/providers"] = json!({ "results": value }),
            "genres" | "spoken_languages" | "production_countries" => {
                answer[name] = named(value);
            }
            "certification" => {
                let release = json!({ "type": 3, "certification": value });
                let country = json!({ "iso_3166_1": "US", "release_dates": [release] });
                answer["release_dates"] = json!({ "results": [country] });
            }
            _ => answer[name] = value.clone(),
        }
    }
    answer
}

fn mapped(answer: &Value) -> Movie<'static> {
    let options = Box::leak(Box::new(MapOptions {
        language: "en-US".to_owned(),
        region: "US".to_owned(),
        streaming_regions: vec!["US".to_owned(), "DE".to_owned()],
    }));
    let body: &'static str = answer.to_string().leak();
    map::movie(Answer::read(body).unwrap(), TmdbId::try_from(603).unwrap(), options)
}

fn video(key: &str, kind: &str) -> Value {
    json!({ "key": key, "name": "A video", "site": "YouTube", "type": kind, "official": true })
}

/// In the billing.
fn place(name: &str) -> u8 {
    u8::from(name != "Keanu Reeves")
}

fn member(id: i64, name: &str, gender: i64) -> Value {
    json!({
        "id": id, "name": name, "character": "Neo", "order": place(name), "profile_path": "/f.jpg",
        "credit_id": format!("c{id}"), "gender": gender,
    })
}

fn credit(id: i64, name: &str, job: &str) -> Value {
    json!({
        "id": id, "name": name, "job": job, "department": "D", "profile_path": "/f.jpg",
        "credit_id": "c",
    })
}

fn offers() -> Value {
    let provider = json!({
        "provider_id": 8, "provider_name": "N", "logo_path": "/n.jpg", "display_priority": 4,
    });
    json!({ "link": "https://tmdb.example", "flatrate": [provider], "rent": [] })
}

/// What the app's own ingest may have left: everything that only it makes.
fn row_of_app() -> AppRow {
    let details = json!({
        "poster_url_medium": format!("{OWN}/posters/5_medium.jpg"),
        "poster_url_small": format!("{TMDB}/w154/old.jpg"),
        "backdrop_url": format!("{OWN}/backdrops/5.jpg"),
        "trailer_thumbnail": format!("{OWN}/trailers/5.jpg"),
        "still_images": [format!("{OWN}/stills/5_1.jpg")],
        "cast_members": [{
            "person_id": "6384", "name": "K", "photo_url_small": format!("{OWN}/cast/6384.jpg"),
            "photo_url_medium": format!("{TMDB}/w185/old.jpg"), "photo_url_large": "",
        }],
        "crew_members": [{
            "person_id": 9340, "name": "L", "job": "Director",
            "photo_url_small": format!("{OWN}/cast/9340.jpg"),
        }],
        "trailers": [{
            "key": "k2", "name": "old", "type": "Clip", "thumbnail_url": format!("{OWN}/k2.jpg"),
        }],
        "schema_version": 1,
    });
    let card = json!({
        "poster": { "large": format!("{OWN}/posters/5_large.jpg") },
        "similar_movie_ids": [604, 605],
        "mood": "dark",
        "title": "old",
    });
    AppRow::read(Some(&details), Some(&card))
}

/// The movie after a save on these rows, as rows again.
fn saved(movie: &Movie<'_>, row: &AppRow) -> AppRow {
    AppRow::read(Some(&details(movie, row, AT)), Some(&card(5, movie, row, AT).full))
}

#[test]
fn the_details_are_the_columns_that_the_app_writes() {
    let row = details(&movie(&json!({})), &AppRow::default(), AT);
    let expected = json!({
        "runtime_minutes": 136,
        "runtime_display": "2h 16m",
        "tagline": null,
        "overview": "A hacker learns the truth.",
        "overview_short": "A hacker learns the truth.",
        "genres": ["Action"],
        "certification": "R",
        "poster_url_small": format!("{TMDB}/w154/p.jpg"),
        "poster_url_medium": format!("{TMDB}/w342/p.jpg"),
        "poster_url_large": format!("{TMDB}/w500/p.jpg"),
        "poster_url_original": format!("{TMDB}/original/p.jpg"),
        "backdrop_url": format!("{TMDB}/w1280/b.jpg"),
        "backdrop_url_mobile": format!("{TMDB}/w780/b.jpg"),
        "trailer_youtube_id": "k1",
        "trailer_thumbnail": null,
        "cast_members": [
            cast_member("6384", "Keanu Reeves", "male"),
            cast_member("530", "Carrie-Anne Moss", "female"),
        ],
        "crew_members": [{
            "person_id": "9340", "name": "Lana Wachowski", "job": "Director", "department": "D",
            "photo_url_small": format!("{TMDB}/w92/f.jpg"),
            "photo_url_medium": format!("{TMDB}/w185/f.jpg"),
        }],
        "keywords": ["simulation"],
        "streaming": shown_offers("2026-11-24T11:00:00Z"),
        "original_language": "en",
        "spoken_languages": ["English"],
        "production_companies": [{
            "id": 79, "name": "Village Roadshow", "logo_path": null, "origin_country": null,
        }],
        "production_countries": ["United States of America"],
        "budget": 63_000_000,
        "revenue_worldwide": 463_517_383,
        "collection": {
            "id": 2344, "name": "The Matrix Collection", "poster_path": null,
            "backdrop_path": null,
        },
        "still_images": [],
        "trailers": [
            { "key": "k1", "name": "A video", "type": "Trailer", "thumbnail_url": null },
            { "key": "k2", "name": "A video", "type": "Clip", "thumbnail_url": null },
        ],
        "schema_version": SCHEMA_VERSION,
    });
    assert_eq!(row, expected);
}

fn cast_member(person_id: &str, name: &str, gender: &str) -> Value {
    json!({
        "person_id": person_id, "name": name, "character": "Neo", "order": place(name),
        "gender": gender,
        "photo_url_small": format!("{TMDB}/w92/f.jpg"),
        "photo_url_medium": format!("{TMDB}/w185/f.jpg"),
        "photo_url_large": format!("{TMDB}/h632/f.jpg"),
    })
}

fn shown_offers(updated_at: &str) -> Value {
    let provider = json!({ "provider_id": 8, "provider_name": "N", "logo_path": "/n.jpg" });
    json!({
        "us": { "link": "https://tmdb.example", "flatrate": [provider] },
        "updated_at": updated_at,
        "attribution": "JustWatch",
    })
}

#[test]
fn the_card_has_the_readers_types() {
    let got = card(5, &movie(&json!({})), &AppRow::default(), AT);
    for (key, expected) in [
        ("work_id", json!(5)),
        ("tmdb_id", json!("603")),
        ("year", json!(1999)),
        ("runtime_minutes", json!(136)),
        (
            "poster",
            json!({
                "small": format!("{TMDB}/w154/p.jpg"), "medium": format!("{TMDB}/w342/p.jpg"),
                "large": format!("{TMDB}/w500/p.jpg"),
            }),
        ),
        ("backdrop", json!(format!("{TMDB}/w1280/b.jpg"))),
        ("director", json!("Lana Wachowski")),
        ("writer", Value::Null),
        ("ai_score", json!(82.2)),
        ("ai_score_range", json!([77.2, 87.2])),
        ("source_scores", json!({ "tmdb": { "score": 82.2, "votes": 26_000 } })),
        ("still_images", json!([])),
        ("streaming", shown_offers("2026-11-24T11:00:00Z")),
        ("budget", json!(63_000_000)),
        ("revenue", json!(463_517_383)),
        ("last_updated", json!("2026-11-24T11:00:00Z")),
    ] {
        assert_eq!(got.full[key], expected, "{key}");
    }
    let short = json!({
        "work_id": 5, "tmdb_id": "603", "title": "The Matrix", "year": 1999,
        "poster": format!("{TMDB}/w342/p.jpg"), "ai_score": 82.2,
    });
    assert_eq!(got.short, short);
}

#[test]
fn lists_are_as_long_as_the_app_keeps_them() {
    let cast: Vec<Value> = (0..40).map(|n| member(n, "N", 0)).collect();
    let crew: Vec<Value> = (0..40).map(|n| credit(n, "N", "Producer")).collect();
    let videos: Vec<Value> = (0..40).map(|n| video(&n.to_string(), "Clip")).collect();
    let long = movie(&json!({ "cast_members": cast, "crew_members": crew, "trailers": videos }));
    let row = details(&long, &AppRow::default(), AT);
    let length = |list: &Value| list.as_array().unwrap().len();
    assert_eq!(length(&row["cast_members"]), 15);
    assert_eq!(length(&row["crew_members"]), 10);
    assert_eq!(length(&row["trailers"]), 10);
    assert_eq!(length(&card(5, &long, &AppRow::default(), AT).full["cast"]), 8);
}

#[test]
fn what_the_readers_could_not_decode_is_left_out() {
    let odd = movie(&json!({
        "cast_members": [{ "id": 1 }, { "name": "N" }, { "id": 2, "name": "B", "order": "x" }, 7],
        "crew_members": [{ "id": 1, "name": null, "job": "Director" }, { "id": 2, "name": "B" }],
        "trailers": [{ "key": "k" }, { "key": "k", "name": "N", "type": "Clip", "site": "Vimeo" }],
        "keywords": [],
        "streaming": { "US": { "link": "l", "rent": [{ "provider_id": "8" }] }, "DE": "none" },
    }));
    let row = details(&odd, &AppRow::default(), AT);
    assert_eq!(row["cast_members"].as_array().unwrap().len(), 1);
    assert_eq!(row["cast_members"][0]["order"], Value::Null);
    assert_eq!(row["crew_members"], json!([]));
    for column in ["trailers", "keywords", "streaming"] {
        assert_eq!(row[column], Value::Null, "{column}");
    }
}

#[test]
fn the_card_names_people_by_their_job() {
    let mut crew: Vec<Value> = (0..12).map(|n| credit(n, "N", "Producer")).collect();
    crew.extend(
        ["Director", "Writer", "Writer", "Screenplay", "Original Music Composer"]
            .map(|job| credit(20, job, job)),
    );
    let full = card(5, &movie(&json!({ "crew_members": crew })), &AppRow::default(), AT).full;
    for (key, name) in [
        ("director", "Director"),
        ("writer", "Writer, Writer"),
        ("screenplay", "Screenplay"),
        ("composer", "Original Music Composer"),
    ] {
        assert_eq!(full[key], name);
    }
}

#[test]
fn a_score_is_ten_times_the_average_with_a_range_around_it() {
    for (average, votes, value, low, high) in [
        (Some(8.22), 26_000, 82.2, 77.2, 87.2),
        (Some(7.333), 3, 73.3, 68.3, 78.3),
        (Some(0.3), 1, 3.0, 0.0, 8.0),
        (Some(10.0), 1, 100.0, 95.0, 100.0),
        (None, 0, 0.0, 0.0, 5.0),
    ] {
        let score = Score::of(&Rating { vote_average: average, vote_count: votes });
        assert_eq!((score.value, score.low, score.high), (value, low, high), "{average:?}");
        assert_eq!(score.source_scores()["tmdb"], json!({ "score": value, "votes": votes }));
    }
}

#[test]
fn what_only_the_app_makes_survives_in_table_and_card() {
    let mut row = row_of_app();
    for save in ["the first", "the second"] {
        row = saved(&movie(&json!({})), &row);
        let (table, card) = (row.details.as_ref().unwrap(), &row.card);
        for (value, file) in [
            (&table["poster_url_medium"], "posters/5_medium.jpg"),
            (&card["poster"]["medium"], "posters/5_medium.jpg"),
            (&table["poster_url_large"], "posters/5_large.jpg"),
            (&card["poster"]["large"], "posters/5_large.jpg"),
            (&table["backdrop_url"], "backdrops/5.jpg"),
            (&card["backdrop"], "backdrops/5.jpg"),
            (&table["trailer_thumbnail"], "trailers/5.jpg"),
            (&card["trailer_thumbnail"], "trailers/5.jpg"),
            (&table["still_images"][0], "stills/5_1.jpg"),
            (&card["still_images"][0], "stills/5_1.jpg"),
            (&table["cast_members"][0]["photo_url_small"], "cast/6384.jpg"),
            (&card["cast"][0]["photo_url_small"], "cast/6384.jpg"),
            (&table["crew_members"][0]["photo_url_small"], "cast/9340.jpg"),
            (&table["trailers"][1]["thumbnail_url"], "k2.jpg"),
            (&card["trailers"][1]["thumbnail_url"], "k2.jpg"),
        ] {
            assert_eq!(value, &json!(format!("{OWN}/{file}")), "{save} save");
        }
        assert_eq!(card["similar_movie_ids"], json!([604, 605]));
        assert_eq!((&card["mood"], &card["title"]), (&json!("dark"), &json!("The Matrix")));
        assert_eq!(table["schema_version"], SCHEMA_VERSION);
    }
}

#[test]
fn what_came_from_tmdb_follows_tmdb() {
    let row = saved(&movie(&json!({})), &row_of_app());
    let faces = [member(6384, "Keanu Reeves", 2)];
    let mut newer = movie(&json!({ "poster_path": "/new.jpg", "cast_members": faces }));
    newer.cast_members.as_mut().unwrap()[0].profile_path = Some("/new.jpg".into());
    let row = saved(&newer, &row);
    let table = row.details.as_ref().unwrap();
    assert_eq!(table["poster_url_small"], format!("{TMDB}/w154/new.jpg"));
    assert_eq!(row.card["poster"]["small"], format!("{TMDB}/w154/new.jpg"));
    assert_eq!(table["cast_members"][0]["photo_url_medium"], format!("{TMDB}/w185/new.jpg"));
    assert_eq!(table["cast_members"][0]["photo_url_large"], format!("{TMDB}/h632/new.jpg"));
    let none = details(&movie(&json!({ "poster_path": null })), &row, AT);
    assert_eq!(none["poster_url_small"], Value::Null);
}
