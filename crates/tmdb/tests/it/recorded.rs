//! Every recorded answer maps or is classified; none panics. The recordings are not part of this
//! project: without the folder (`MANGOES_RECORDED`, else `../shared/tmdb-recorded`) the tests say
//! so and pass.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use catalogue::{AppRow, MapOptions};
use delivery::{Classify, Fate};
use proto::{Lane, TmdbId};
use serde_json::{Value, json};
use tmdb::{CallContext, List};

use crate::{
    arbitrary::{assert_storable, look},
    server::answered_with,
};

fn recordings() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/tmdb-recorded");
    let folder = std::env::var_os("MANGOES_RECORDED").map_or(beside, PathBuf::from);
    if !folder.join("movie").is_dir() {
        eprintln!(
            "SKIPPED: no recorded answers at {}; set MANGOES_RECORDED to their folder",
            folder.display()
        );
        return None;
    }
    Some(folder)
}

/// Files below a folder, with their content.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let body = fs::read(&path).unwrap();
            found.push((path, body));
        }
    }
    found
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

pub(crate) fn options() -> MapOptions {
    MapOptions {
        language: "en-US".to_owned(),
        region: "US".to_owned(),
        streaming_regions: vec!["US".to_owned()],
    }
}

fn context() -> CallContext {
    CallContext { service: "test", run_id: None, failed_attempts: 0, lane: Lane::Now }
}

/// Shares of null in per cent that the measurements on TMDB found, over a mixed and over a popular
/// sample, by the column that the value ends in. TMDB's null, "" and 0 all mean unknown here.
const FACTS: [(&str, f64, f64); 10] = [
    ("backdrop_path", 0.9, 10.5),
    ("poster_path", 0.0, 2.4),
    ("imdb_id", 1.2, 3.7),
    ("homepage", 28.0, 45.0),
    ("tagline", 19.0, 38.0),
    ("overview", 0.5, 3.0),
    ("budget", 16.0, 51.0),
    ("revenue_worldwide", 0.0, 48.0),
    ("runtime_minutes", 1.1, 4.6),
    ("collection", 53.0, 65.0),
];
/// Points by which the recordings may lie beside the two samples: they are a third one.
const SLACK: f64 = 3.0;

#[test]
#[expect(clippy::cast_precision_loss, reason = "a few thousand movies")]
fn every_movie_maps_and_the_nulls_are_those_of_the_facts() {
    let Some(folder) = recordings() else { return };
    let mut nulls: BTreeMap<String, usize> = BTreeMap::new();
    let mut movies = 0;
    for (path, body) in files(&folder.join("movie")) {
        let id = TmdbId::try_from(
            serde_json::from_slice::<Value>(&body).unwrap()["id"].as_i64().unwrap(),
        )
        .unwrap();
        let text = String::from_utf8(body).unwrap();
        let look = look(&text, id).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_storable(&look);
        movies += 1;
        let (row, mut merged) = (AppRow::default(), None);
        let movie = look.merge(None, &row, &mut merged).movie;
        for (field, value) in movie.canonical().as_object().unwrap() {
            *nulls.entry(field.clone()).or_default() += usize::from(value.is_null());
        }
    }
    assert!(movies > 1_000, "only {movies} movies");
    let share = |field: &str| nulls.get(field).map_or(0.0, |n| *n as f64 * 100.0 / movies as f64);
    println!("{movies} movies; share of null per column, beside the facts' two samples:");
    for field in nulls.keys() {
        let fact = FACTS
            .iter()
            .find(|f| f.0 == field)
            .map(|(_, low, high)| format!("  facts {low} % to {high} %"));
        println!("  {field:22} {:5.1} %{}", share(field), fact.unwrap_or_default());
    }
    assert!(share("title") == 0.0);
    for (field, low, high) in FACTS {
        assert!(
            (low - SLACK..=high + SLACK).contains(&share(field)),
            "{field}: {:.1} %, facts {low} to {high} %",
            share(field)
        );
    }
}

#[test]
fn every_variant_and_part_maps() {
    let Some(folder) = recordings() else { return };
    let (mut variants, mut parts) = (0, 0);
    for (path, body) in files(&folder.join("variants")) {
        let id = serde_json::from_slice::<Value>(&body).ok().and_then(|b| b.get("id")?.as_i64());
        // A body without an id is not a movie: it has to be refused with a message.
        let asked = TmdbId::try_from(id.unwrap_or(1)).unwrap();
        match look(&String::from_utf8(body).unwrap(), asked) {
            Ok(look) => assert_storable(&look),
            Err(e) => assert!(id.is_none() && !e.to_string().is_empty(), "{}: {e}", path.display()),
        }
        variants += 1;
    }
    for (path, body) in files(&folder.join("sub")) {
        let part = stem(&path).replace("watch_providers", "watch/providers");
        let value: Value = serde_json::from_slice(&body).unwrap();
        let whole = json!({"id": 7, "title": "T", part.as_str(): value});
        let look = look(&whole.to_string(), TmdbId::try_from(7).unwrap()).unwrap();
        assert_storable(&look);
        parts += 1;
    }
    println!("{variants} variants and {parts} parts map");
    assert!(variants > 200 && parts > 100);
}

#[tokio::test]
async fn every_list_and_page_of_changes_is_read() {
    let Some(folder) = recordings() else { return };
    let (mut lists, mut changes) = (0, 0);
    for (path, body) in
        files(&folder.join("lists")).into_iter().chain(files(&folder.join("changes")))
    {
        let rows =
            serde_json::from_slice::<Value>(&body).unwrap()["results"].as_array().map(Vec::len);
        let answer = answered_with(200, "application/json", body)
            .await
            .list(List::Popular, 1, &context())
            .await;
        match rows {
            Some(rows) => {
                let page = answer.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                assert_eq!(page.rows.len() + page.left_out, rows, "{}", path.display());
                assert!(page.total_pages <= tmdb::MAX_PAGE);
                lists += 1;
            }
            // One movie's own changes are not a list: whoever answers so is unwell.
            None => {
                let fate = answer.unwrap_err().fate();
                assert!(matches!(fate, Fate::Wait { .. }), "{}: {fate:?}", path.display());
                changes += 1;
            }
        }
    }
    println!("{lists} pages read, {changes} answers known not to be pages");
    assert!(lists > 50);
}

/// Each is the answer to everything: what is no word of TMDB's about this movie waits.
#[tokio::test]
async fn every_error_has_its_fate() {
    let Some(folder) = recordings() else { return };
    for (path, body) in files(&folder.join("errors")) {
        let name = stem(&path);
        let status: u16 = name.split('-').next().unwrap().parse().unwrap();
        let html = path.extension().is_some_and(|e| e == "html");
        let client =
            answered_with(status, if html { "text/html" } else { "application/json" }, body).await;
        let error = client.movie(TmdbId::try_from(603).unwrap(), &context()).await.unwrap_err();
        let fate = error.fate();
        println!("{name:12} {fate:?}: {error}");
        let expected = match (status, html) {
            (404, false) => matches!(fate, Fate::Missing),
            (_, _) => matches!(fate, Fate::Wait { .. }),
        };
        assert!(expected, "{name}: {fate:?}");
    }
}
