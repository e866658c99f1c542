//! Every recorded answer maps or is classified; none panics. The recordings are no part of this project: without the folder
//! (`MANGOES_RECORDED`, else `../shared/tmdb-recorded`) the test says so and passes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use proto::TmdbId;
use serde_json::Value;
use tmdb::{MapOptions, map};

fn recordings() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/tmdb-recorded");
    let folder = std::env::var_os("MANGOES_RECORDED").map_or(beside, PathBuf::from);
    folder.join("movie").is_dir().then_some(folder)
}

#[test]
fn every_recorded_movie_maps() {
    let Some(folder) = recordings() else {
        eprintln!("SKIPPED: no recorded answers; set MANGOES_RECORDED to their folder");
        return;
    };
    let options = MapOptions { language: "en-US".to_owned(), region: "US".to_owned(), streaming_regions: vec!["US".to_owned()] };
    let mut nulls: BTreeMap<String, usize> = BTreeMap::new();
    let mut movies = 0;
    for kind in ["movie", "variants/movie"] {
        for file in std::fs::read_dir(folder.join(kind)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let body = std::fs::read(&path).unwrap();
            let id = serde_json::from_slice::<Value>(&body).unwrap().get("id").and_then(Value::as_i64);
            let Some(id) = id.and_then(|id| TmdbId::try_from(id).ok()) else { continue };
            let movie = map(&body, id, &options).map_err(|e| format!("{}: {e}", path.display())).unwrap();
            assert!(!movie.title.is_empty() && !movie.canonical().to_string().contains("\\u0000"), "{}", path.display());
            if kind == "movie" {
                movies += 1;
                for (field, value) in movie.canonical().as_object().unwrap() {
                    *nulls.entry(field.clone()).or_default() += usize::from(value.is_null());
                }
            }
        }
    }
    assert!(movies > 1_000, "{movies}");
    eprintln!("{movies} movies; nulls per field: {nulls:?}");
    // Rates of the recordings: a title always, an imdb_id nearly always, a budget in less than half to four fifths.
    let share = |field: &str| nulls.get(field).copied().unwrap_or(0) as f64 / f64::from(movies);
    assert!(share("title") == 0.0 && share("imdb_id") < 0.05 && share("runtime_minutes") < 0.06, "{nulls:?}");
    assert!((0.1..0.6).contains(&share("budget")), "{nulls:?}");
}
