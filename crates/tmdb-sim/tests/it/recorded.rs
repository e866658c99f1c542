//! Recorded answers; skipped where the folder is absent.

use std::path::PathBuf;

use tmdb_sim::{Options, Sim, SimError};

use crate::client::{ids, start};

fn folder() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/tmdb-recorded");
    let folder = std::env::var_os("MANGOES_RECORDED").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no recorded answers at {}; set MANGOES_RECORDED", folder.display());
    None
}

#[tokio::test]
async fn recorded_answers_are_served_in_place_of_invented_ones() {
    let Some(folder) = folder() else { return };
    let (_sim, mut client) = start(Options { recorded: Some(folder), ..Options::default() }).await;
    let movie = client.get("/3/movie/550?append_to_response=credits").await.json();
    assert_eq!(movie["title"], "Fight Club");
    assert!(movie["credits"]["cast"].is_array());
    assert!(client.get("/3/movie/550").await.json().get("credits").is_none());
    assert_eq!(client.get("/3/movie/999999999").await.status, 404);
    for list in ["movie/now_playing", "movie/popular", "movie/top_rated", "movie/upcoming", "trending/movie/week"] {
        let first = client.get(&format!("/3/{list}")).await.json();
        for page in 1..=first["total_pages"].as_u64().unwrap() {
            let body = client.get(&format!("/3/{list}?page={page}")).await.json();
            assert_eq!(body["page"], page);
            for id in ids(&body) {
                assert_eq!(client.get(&format!("/3/movie/{id}")).await.status, 200, "{list} shows {id}");
            }
        }
    }
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let options = Options { recorded: Some("no/such/folder".into()), ..Options::default() };
    let error = Sim::start(options).await.unwrap_err();
    assert!(matches!(error, SimError::Unreadable { .. }) && error.to_string().contains("no/such/folder"));
}
