//! The daily export.

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tmdb_sim::{Faults, Options};

use crate::client::start;

pub(crate) const PATH: &str = "/p/exports/movie_ids_05_01_2026.json.gz";

/// The lines of an export.
pub(crate) fn lines(packed: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn the_export_holds_every_id_that_is_not_deleted() {
    let (sim, mut client) = start(Options { movies: 20_000, ..Options::default() }).await;
    let all = lines(&client.get(PATH).await.body);
    let movie = client.get("/3/movie/27205").await.json();
    let line = all.iter().find(|line| line["id"] == 27_205).unwrap();
    let popularity = &movie["popularity"];
    let wanted = json!({
        "adult": false, "id": 27_205, "original_title": "Inception", "popularity": popularity,
        "video": false,
    });
    assert_eq!((line, all.len()), (&wanted, 20_001));
    sim.control().delete(27_205);
    assert!(lines(&client.get(PATH).await.body).iter().all(|line| line["id"] != 27_205));
    sim.control().fail(Faults { truncated: 1.0, ..Faults::default() });
    assert!(client.try_get(PATH, "").await.is_err());
}

#[tokio::test]
async fn an_export_of_no_day_is_not_found() {
    let (_sim, mut client) = start(Options { movies: 10, ..Options::default() }).await;
    for name in [
        "movie_ids_13_01_2026.json.gz",
        "movie_ids_2026_05_01.json.gz",
        "movie_ids_05_01_20260.json.gz",
        "tv_ids.gz",
    ] {
        let answer = client.get(&format!("/p/exports/{name}")).await;
        assert_eq!(
            (answer.status, answer.headers["content-type"].as_str()),
            (404, "text/html"),
            "{name}"
        );
    }
}
