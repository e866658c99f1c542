//! Edits of an answer that a person would see, each in one field.

use super::*;

/// A value of the answer itself: key, new value, field.
const VALUES: [[&str; 3]; 17] = [
    ["title", r#""Other""#, "title"],
    ["original_title", r#""Other""#, "original_title"],
    ["overview", r#""Other""#, "overview"],
    ["tagline", r#""Other""#, "tagline"],
    ["status", r#""Canceled""#, "status"],
    ["release_date", r#""2001-02-03""#, "release_date"],
    ["runtime", "997", "runtime_minutes"],
    ["budget", "997", "budget"],
    ["revenue", "997", "revenue_worldwide"],
    ["homepage", r#""https://example.org""#, "homepage"],
    ["imdb_id", r#""tt99999999""#, "imdb_id"],
    ["poster_path", r#""/other.jpg""#, "poster_path"],
    ["backdrop_path", r#""/other.jpg""#, "backdrop_path"],
    ["adult", "true", "adult"],
    ["video", "true", "video"],
    ["softcore", "true", "softcore"],
    ["belongs_to_collection", r#"{"id": 997, "name": "Other"}"#, "collection"],
];

/// Something new in a list: pointer, item, field.
const ITEMS: [[&str; 3]; 18] = [
    ["/genres", r#"{"id": 997, "name": "Other"}"#, "genres"],
    ["/spoken_languages", r#"{"english_name": "Other"}"#, "spoken_languages"],
    ["/production_companies", r#"{"id": 997, "name": "Other"}"#, "production_companies"],
    ["/production_countries", r#"{"name": "Other"}"#, "production_countries"],
    ["/origin_country", r#""XX""#, "origin_country"],
    ["/credits/cast", r#"{"id": 997, "name": "Other", "order": 99}"#, "cast_members"],
    ["/credits/crew", r#"{"id": 997, "name": "Other", "job": "Writer"}"#, "crew_members"],
    ["/videos/results", r#"{"site": "YouTube", "key": "o", "type": "Clip"}"#, "trailers"],
    ["/keywords/keywords", r#"{"id": 997, "name": "other"}"#, "keywords"],
    ["/images/posters", r#"{"file_path": "/other.jpg"}"#, "posters"],
    ["/images/backdrops", r#"{"file_path": "/other.jpg"}"#, "backdrops"],
    ["/images/logos", r#"{"file_path": "/other.jpg"}"#, "logos"],
    [
        "/alternative_titles/titles",
        r#"{"iso_3166_1": "XX", "title": "Other"}"#,
        "alternative_titles",
    ],
    [
        "/translations/translations",
        r#"{"iso_639_1": "xx", "data": {"title": "Other"}}"#,
        "translations",
    ],
    [
        "/release_dates/results",
        r#"{"iso_3166_1": "XX", "release_dates": [{"type": 1}]}"#,
        "release_dates",
    ],
    ["/watch~1providers/results/US/rent", r#"{"provider_id": 997}"#, "streaming"],
    ["/watch~1providers/results/US/buy", r#"{"provider_id": 997}"#, "streaming"],
    ["/watch~1providers/results/US/flatrate", r#"{"provider_name": "Other"}"#, "streaming"],
];

/// Lists of which an item may go without another field's changing.
const SHORTER: [[&str; 2]; 9] = [
    ["/genres", "genres"],
    ["/production_countries", "production_countries"],
    ["/credits/crew", "crew_members"],
    ["/keywords/keywords", "keywords"],
    ["/images/posters", "posters"],
    ["/images/logos", "logos"],
    ["/alternative_titles/titles", "alternative_titles"],
    ["/watch~1providers/results/US/rent", "streaming"],
    ["/watch~1providers/results/US/flatrate", "streaming"],
];

/// One edit; says the field that it changes. `None`: the answer has no place for it.
pub(super) fn edit(answer: &mut Value, dice: &mut Dice) -> Option<&'static str> {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    match dice.below(4) {
        0 | 1 => {
            let [key, value, field] = dice.one_of(&VALUES)?;
            answer[*key] = read(value);
            Some(field)
        }
        2 => {
            let [list, item, field] = dice.one_of(&ITEMS)?;
            answer.pointer_mut(list)?.as_array_mut()?.push(read(item));
            Some(field)
        }
        _ => {
            let [list, field] = dice.one_of(&SHORTER)?;
            let items = answer.pointer_mut(list)?.as_array_mut()?;
            let gone = dice.below(items.len());
            (gone < items.len()).then(|| items.remove(gone))?;
            Some(field)
        }
    }
}
