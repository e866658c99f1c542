//! Real recorded answers through the whole chain: what TMDB sent and a table holds is there.
//!
//! The recordings are no part of this project: without the folder (`MANGOES_RECORDED`, else
//! `../shared/tmdb-recorded`) the test says so and passes.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::{Folder, StoredMovie, World};

/// Texts of `works`: the field of TMDB is called as the column.
const TEXTS_OF_WORK: [&str; 4] = ["title", "original_title", "imdb_id", "release_date"];
/// Texts of `works_meta`, likewise.
const TEXTS_OF_DETAILS: [&str; 3] = ["overview", "tagline", "original_language"];
/// A field of TMDB and its column in `works_meta`.
const NUMBERS: [(&str, &str); 3] =
    [("runtime", "runtime_minutes"), ("budget", "budget"), ("revenue", "revenue_worldwide")];
/// A list, of which one field of each entry is kept: the first that holds something.
const LISTS: [(&str, &[&str]); 3] = [
    ("genres", &["name"]),
    ("spoken_languages", &["english_name", "name"]),
    ("production_countries", &["name"]),
];
/// Members of the crew that the app keeps.
const CREW_MAX: usize = 10;

/// The folder of recorded answers.
pub(crate) fn recordings() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tmdb-recorded");
    let folder = std::env::var_os("MANGOES_RECORDED").map_or(beside, PathBuf::from);
    folder.join("movie").is_dir().then_some(folder)
}

/// The daily job brings in thirty movies; each is compared with the answer that it came from.
#[tokio::test]
async fn thirty_real_movies_arrive_whole() {
    let Some(folder) = recordings() else {
        eprintln!("SKIPPED: no recorded answers; set MANGOES_RECORDED to their folder");
        return;
    };
    let args = ["up", "--demo", "--recorded", folder.to_str().unwrap()];
    let world = World::run_up(Folder::new("recorded"), &args, &[]).await;
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    let stored = world.stored_movies().await;
    assert_eq!(stored.len(), 30);
    for movie in stored {
        let path = folder.join(format!("movie/{}.json", movie.id));
        let sent: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        compare_fields(&sent, &movie);
        compare_lists(&sent, &movie);
        compare_other_tables(&sent, &movie);
    }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

fn compare_fields(sent: &Value, movie: &StoredMovie) {
    let StoredMovie { id, work, details, .. } = movie;
    for field in TEXTS_OF_WORK {
        assert_eq!(work[field].as_str(), text(&sent[field]), "{id} {field}");
    }
    for field in TEXTS_OF_DETAILS {
        assert_eq!(details[field].as_str(), text(&sent[field]), "{id} {field}");
    }
    for (field, column) in NUMBERS {
        let expected = sent[field].as_i64().filter(|n| *n > 0);
        assert_eq!(details[column].as_i64(), expected, "{id} {field}");
    }
    assert_eq!(details["collection"]["id"], sent["belongs_to_collection"]["id"], "{id} collection");
}

/// The first of these fields of each entry of a list that TMDB sent, as far as it has one.
fn fields(list: &Value, fields: &[&str]) -> Vec<String> {
    let entries = list.as_array().cloned().unwrap_or_default();
    let first = |entry: &Value| fields.iter().find_map(|field| text(&entry[field])).map(Into::into);
    entries.iter().filter_map(first).collect()
}

/// The texts of a list that is stored.
fn texts(list: &Value) -> Vec<String> {
    let entries = list.as_array().cloned().unwrap_or_default();
    entries.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

fn length(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

fn compare_lists(sent: &Value, movie: &StoredMovie) {
    let StoredMovie { id, details, .. } = movie;
    for (list, names) in LISTS {
        assert_eq!(texts(&details[list]), fields(&sent[list], names), "{id} {list}");
    }
    let keywords = fields(&sent["keywords"]["keywords"], &["name"]);
    assert_eq!(texts(&details["keywords"]), keywords, "{id} keywords");
    let (companies, credits) = (&sent["production_companies"], &sent["credits"]);
    assert_eq!(length(&details["production_companies"]), length(companies), "{id} companies");
    let crew = length(&details["crew_members"]);
    assert!(crew <= length(&credits["crew"]).min(CREW_MAX), "{id} crew: {crew}");
    let has_cast = length(&credits["cast"]) > 0;
    assert_eq!(length(&details["cast_members"]) > 0, has_cast, "{id} cast");
}

fn compare_other_tables(sent: &Value, movie: &StoredMovie) {
    let id = &movie.id;
    assert_eq!(movie.votes, sent["vote_count"].as_i64().unwrap_or(0), "{id} votes");
    let similar = length(&sent["similar"]["results"]).min(10);
    assert_eq!(usize::try_from(movie.similar).unwrap(), similar, "{id} similar");
    assert_eq!(movie.card["title"], sent["title"], "{id} card");
}
