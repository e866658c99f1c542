//! What others met (public reports), by the ids of the reports: a table each.

#![expect(non_snake_case, reason = "the ids of the reports")]

use super::{meaning::changed, *};

const NOTHING: [&str; 0] = [];

/// An answer in which these values are others.
fn with(mut answer: Value, values: &[(&str, Value)]) -> Value {
    for (pointer, value) in values {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        answer.pointer_mut(parent).unwrap()[key.replace("~1", "/")] = value.clone();
    }
    answer
}

#[test]
fn T3_a_key_that_is_new_everywhere_is_no_change() {
    for (pointer, value) in [
        ("/softcore", json!(false)),
        ("/adult", json!(false)),
        ("/video", json!(false)),
        ("/origin_country", json!(["US"])),
        ("/images/posters/0/iso_3166_1", json!("US")),
        ("/images/posters/0/width", json!(2_000)),
        ("/images/posters/0/height", json!(3_000)),
        ("/images/logos", Value::Null),
        ("/images/backdrops", Value::Null),
        ("/credits/cast/0/gender", json!(0)),
        ("/videos/results/0/official", json!(false)),
        ("/release_dates/results/0/release_dates/0/descriptors", json!([])),
        ("/translations/translations/0/data/runtime", json!(0)),
        ("/external_ids/wikidata_id", Value::Null),
        ("/watch~1providers/results/US/slug", json!("a text of no known key")),
        ("/watch~1providers/results/US/bundles", json!([{"bundle": 7}])),
    ] {
        let other = edited(pointer, value);
        assert_eq!(changed(&answer(), &other), NOTHING, "{pointer} came");
        assert_eq!(changed(&other, &answer()), NOTHING, "{pointer} went");
    }
    for (pointer, value, field) in [
        ("/softcore", json!(true), "softcore"),
        ("/adult", json!(true), "adult"),
        ("/credits/cast/0/gender", json!(2), "cast_members"),
        ("/videos/results/0/official", json!(true), "trailers"),
        ("/images/logos", json!([{"file_path": "/l.png"}]), "logos"),
    ] {
        assert_eq!(changed(&answer(), &edited(pointer, value)), [field], "{pointer}");
    }
    let country = |country: &str| edited("/origin_country", json!([country]));
    assert_eq!(changed(&country("US"), &country("AU")), ["origin_country"]);
}

/// Parts of parts, and those that neither answer had before.
#[test]
fn T3_what_holds_nothing_is_as_absent() {
    let mut bare = answer();
    bare["translations"]["translations"] = json!([{"iso_639_1": "fr"}]);
    bare["release_dates"]["results"] = json!([{"iso_3166_1": "FR"}]);
    for part in ["belongs_to_collection", "external_ids"] {
        bare.as_object_mut().unwrap().remove(part);
    }
    for (pointer, value) in [
        ("/belongs_to_collection", Value::Null),
        ("/external_ids", json!({"imdb_id": null, "wikidata_id": ""})),
        ("/translations/translations/0/data", json!({"title": "", "runtime": 0})),
        ("/release_dates/results/0/release_dates", json!([])),
    ] {
        let other = with(bare.clone(), &[(pointer, value)]);
        assert_eq!(changed(&bare, &other), NOTHING, "{pointer}");
    }
}

#[test]
fn T3_another_notation_is_no_change() {
    let base = with(
        answer(),
        &[
            ("/runtime", json!(136)),
            ("/belongs_to_collection", json!({"id": 5, "name": "C"})),
            ("/overview", json!("One\nTwo")),
        ],
    );
    for (pointer, value) in [
        ("/release_date", json!("1999-03-30T00:00:00.000Z")),
        ("/release_date", json!("1999-03-30 00:00:00 UTC")),
        ("/videos/results/0/published_at", json!("2024-01-02 03:04:05 UTC")),
        ("/videos/results/0/published_at", json!("2024-01-02T05:04:05+02:00")),
        ("/release_dates/results/0/release_dates/0/release_date", json!("1999-03-30")),
        ("/runtime", json!(136.0)),
        ("/credits/cast/0/id", json!(1.0)),
        ("/credits/crew/0/id", json!("3")),
        ("/belongs_to_collection/id", json!(5.0)),
        ("/watch~1providers/results/US/rent/0/provider_id", json!(8.0)),
        ("/overview", json!("One\r\nTwo\r\n")),
        ("/title", json!(" T ")),
        ("/genres/0/name", json!("Action ")),
    ] {
        let other = with(base.clone(), &[(pointer, value.clone())]);
        assert_eq!(changed(&base, &other), NOTHING, "{pointer} {value}");
    }
    for (pointer, value, field) in [
        ("/runtime", json!(137.0), "runtime_minutes"),
        ("/overview", json!("One Two"), "overview"),
        ("/videos/results/0/published_at", json!("2024-01-02T03:04:05+02:00"), "trailers"),
    ] {
        assert_eq!(changed(&base, &with(base.clone(), &[(pointer, value)])), [field], "{pointer}");
    }
}

#[test]
fn T4_videos_are_in_the_configured_language_the_original_one_or_none() {
    let video = |key: &str, language: Value| {
        json!({"site": "YouTube", "key": key, "name": key, "type": "Trailer",
            "iso_639_1": language})
    };
    let all = [
        video("en", json!("en")),
        video("de", json!("de")),
        video("fr", json!("fr")),
        video("none", Value::Null),
        video("xx", json!("xx")),
    ];
    for (videos, shown, trailer) in [
        (&all[..], vec!["en", "de", "none", "xx"], Some("en")),
        (&all[1..], vec!["de", "none", "xx"], Some("de")),
        (&all[2..], vec!["none", "xx"], Some("none")),
        (&all[2..3], vec![], None),
    ] {
        let mut answer = edited("/videos/results", json!(videos));
        answer["original_language"] = json!("de");
        with_movie(&answer, |movie| {
            let got = movie.trailers.iter().flatten().filter_map(|video| video.key.as_deref());
            assert_eq!(got.collect::<Vec<_>>(), shown);
            assert_eq!(movie.trailer_youtube_id.as_deref(), trailer);
        });
    }
}

#[test]
fn T6_offers_are_compared_by_provider_and_kind() {
    let us = "/watch~1providers/results/US";
    let providers = |ids: &[i64]| ids.iter().map(|id| json!({"provider_id": id})).collect();
    let at = |place: &str| format!("{us}/{place}");
    for (place, value, fields) in [
        ("rent/0/display_priority", json!(99), &NOTHING[..]),
        ("rent/0/logo_path", json!("/new.jpg"), &NOTHING),
        ("rent/0/provider_name", json!("Renamed"), &NOTHING),
        ("rent/0/provider_name", Value::Null, &NOTHING),
        ("rent", providers(&[9, 8]), &NOTHING),
        ("buy", json!([]), &NOTHING),
        ("rent", providers(&[8]), &["streaming"]),
        ("rent", providers(&[8, 9, 10]), &["streaming"]),
        ("rent/0/provider_id", json!(10), &["streaming"]),
        ("buy", providers(&[8]), &["streaming"]),
        ("link", json!("m"), &["streaming"]),
    ] {
        let other = edited(&at(place), value);
        assert_eq!(changed(&answer(), &other), *fields, "{place}");
    }
    let nameless = edited(&at("rent"), json!([{"provider_name": "A"}]));
    let renamed = edited(&at("rent"), json!([{"provider_name": "B"}]));
    assert_eq!(changed(&nameless, &renamed), ["streaming"], "the name is all that is known");
}

#[test]
fn T6_a_region_without_offers_is_as_none() {
    let of = |regions: Value| edited("/watch~1providers/results", regions);
    let none = of(json!({}));
    for regions in [
        json!({"US": {}}),
        json!({"US": {"link": "l"}}),
        json!({"US": {"link": "l", "rent": [], "buy": [{}]}}),
        json!({"US": []}),
        json!({"DE": {"link": "l", "rent": [{"provider_id": 8}]}}),
    ] {
        assert_eq!(changed(&none, &of(regions.clone())), NOTHING, "{regions}");
    }
    assert_eq!(changed(&answer(), &none), ["streaming"]);
}

/// Of equals the first one must not be taken because it comes first.
#[test]
fn the_order_of_a_list_chooses_nothing() {
    let video = |key: &str, at: &str| {
        json!({
            "site": "YouTube", "name": "N", "type": "Trailer", "key": key, "published_at": at,
        })
    };
    let release =
        |text: &str, date: &str| json!({"type": 3, "certification": text, "release_date": date});
    let credit = |place: i64, character: &str| {
        json!({
            "id": 1, "name": "N", "order": place, "credit_id": "c", "character": character,
        })
    };
    let country = |releases: Value| json!({"iso_3166_1": "US", "release_dates": releases});
    let text =
        |text: &str| json!({"iso_639_1": "en", "iso_3166_1": "US", "data": {"tagline": text}});
    let (march, april) = ("1999-03-31", "1999-04-01");
    let (releases, videos, cast) = ("/release_dates/results", "/videos/results", "/credits/cast");
    let of_country = "/release_dates/results/0/release_dates";
    let texts = "/translations/translations";
    let trailer = |movie: &Movie<'_>| movie.trailer_youtube_id.as_deref().unwrap().to_owned();
    let certificate = |movie: &Movie<'_>| movie.certification.as_deref().unwrap().to_owned();
    let tagline = |movie: &Movie<'_>| movie.tagline.as_deref().unwrap().to_owned();
    let role = |movie: &Movie<'_>| {
        let cast = movie.cast_members.as_ref().unwrap();
        assert_eq!(cast.len(), 1);
        cast[0].character.as_deref().unwrap().to_owned()
    };
    type Chosen<'a> = &'a dyn Fn(&Movie<'_>) -> String;
    let rows: [(&str, Value, Chosen<'_>, &str); 8] = [
        (videos, json!([video("a", "2024-01-01"), video("b", "2025-01-01")]), &trailer, "b"),
        (videos, json!([video("b", "2024-01-01"), video("a", "2024-01-01")]), &trailer, "a"),
        (of_country, json!([release("R", march), release("PG", april)]), &certificate, "R"),
        (of_country, json!([release("R", march), release("PG", march)]), &certificate, "PG"),
        (
            releases,
            json!([country(json!([release("PG", april)])), country(json!([release("R", march)]))]),
            &certificate,
            "R",
        ),
        (cast, json!([credit(1, "A"), credit(5, "B")]), &role, "A"),
        (cast, json!([credit(1, "B"), credit(1, "A")]), &role, "A"),
        (texts, json!([text("B"), text("A")]), &tagline, "A"),
    ];
    for (list, items, chosen, expected) in rows {
        let one = edited(list, items);
        let mut two = one.clone();
        two.pointer_mut(list).unwrap().as_array_mut().unwrap().reverse();
        assert_eq!(changed(&one, &two), NOTHING, "{list}");
        for answer in [&one, &two] {
            with_movie(answer, |movie| assert_eq!(chosen(movie), expected, "{list}"));
        }
    }
}
