//! Recorded answers; skipped where the folder is absent.

use std::path::PathBuf;

use serde_json::{Value, json};
use tmdb_sim::{Options, Sim, SimError};

use crate::client::{ids, start};
use crate::export;

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
    for list in [
        "movie/now_playing",
        "movie/popular",
        "movie/top_rated",
        "movie/upcoming",
        "trending/movie/week",
    ] {
        let first = client.get(&format!("/3/{list}")).await.json();
        for page in 1..=first["total_pages"].as_u64().unwrap() {
            let body = client.get(&format!("/3/{list}?page={page}")).await.json();
            assert_eq!(body["page"], page);
            for id in ids(&body) {
                assert_eq!(
                    client.get(&format!("/3/movie/{id}")).await.status,
                    200,
                    "{list} shows {id}"
                );
            }
        }
    }
}

#[tokio::test]
async fn recorded_movies_are_exported_edited_and_merged() {
    let Some(folder) = folder() else { return };
    let (sim, mut client) = start(Options { recorded: Some(folder), ..Options::default() }).await;
    let all = export::lines(&client.get(export::PATH).await.body);
    assert!(all.iter().any(|line| line["id"] == 550 && line["original_title"] == "Fight Club"));
    sim.control().edit(603, json!({"title": "Edited"}));
    sim.control().merge(550, 603);
    assert_eq!(export::lines(&client.get(export::PATH).await.body).len(), all.len() - 1);
    let found = client.get("/3/find/tt0137523?external_source=imdb_id").await.json();
    assert_eq!(
        (ids_found(&found), &found["movie_results"][0]["title"]),
        (vec![603], &json!("Edited"))
    );
}

fn ids_found(found: &Value) -> Vec<u64> {
    found["movie_results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let options = Options { recorded: Some("no/such/folder".into()), ..Options::default() };
    let error = Sim::start(options).await.unwrap_err();
    assert!(
        matches!(error, SimError::Unreadable { .. })
            && error.to_string().contains("no/such/folder")
    );
}
