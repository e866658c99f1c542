//! Real recorded answers through the whole chain: what TMDB sent and a table holds is there.
//!
//! The recordings are no part of this project: without the folder (`MANGOES_RECORDED`, else
//! `../shared/tmdb-recorded`) the test says so and passes.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sqlx::Row;

use crate::world::{Folder, World};

fn recordings() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tmdb-recorded");
    let folder = std::env::var_os("MANGOES_RECORDED").map_or(beside, PathBuf::from);
    folder.join("movie").is_dir().then_some(folder)
}

fn names(body: &Value, list: &str, field: &str) -> Vec<String> {
    let rows = body[list].as_array().cloned().unwrap_or_default();
    rows.iter()
        .filter_map(|r| r[field].as_str())
        .filter(|s| !s.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

#[tokio::test]
async fn thirty_real_movies_arrive_whole() {
    let Some(folder) = recordings() else {
        eprintln!("SKIPPED: no recorded answers; set MANGOES_RECORDED to their folder");
        return;
    };
    let world =
        World::start_with(Folder::new("recorded"), &["--recorded", folder.to_str().unwrap()]).await;
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    let rows = sqlx::query(
        "select w.tmdb_id, to_jsonb(w) as work, to_jsonb(m) as meta, r.votes_count, c.payload,
            (select count(*) from similar_movies s where s.work_id = w.work_id) as similar
         from works w join works_meta m using (work_id) join rating_sources r using (work_id)
         join aggregates a using (work_id) join work_cards_cache c using (work_id)",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(rows.len(), 30);
    for row in rows {
        let id: String = row.get("tmdb_id");
        let text = std::fs::read_to_string(folder.join(format!("movie/{id}.json"))).unwrap();
        let sent: Value = serde_json::from_str(&text).unwrap();
        check(&id, &sent, &row);
    }
}

fn check(id: &str, sent: &Value, row: &sqlx::postgres::PgRow) {
    let (work, meta): (Value, Value) = (row.get("work"), row.get("meta"));
    for (field, column) in [
        ("title", &work["title"]),
        ("original_title", &work["original_title"]),
        ("imdb_id", &work["imdb_id"]),
    ] {
        let expected = sent[field].as_str().filter(|s| !s.is_empty());
        assert_eq!(column.as_str(), expected, "{id} {field}");
    }
    assert_eq!(
        work["release_date"].as_str(),
        sent["release_date"].as_str().filter(|s| !s.is_empty()),
        "{id} release_date"
    );
    for (field, column) in [
        ("overview", "overview"),
        ("tagline", "tagline"),
        ("homepage", "homepage"),
        ("original_language", "original_language"),
    ] {
        assert_eq!(
            meta[column].as_str(),
            sent[field].as_str().filter(|s| !s.is_empty()),
            "{id} {field}"
        );
    }
    for (field, column) in
        [("runtime", "runtime_minutes"), ("budget", "budget"), ("revenue", "revenue_worldwide")]
    {
        assert_eq!(meta[column].as_i64(), sent[field].as_i64().filter(|n| *n > 0), "{id} {field}");
    }
    let stored = |column: &str| -> Vec<String> {
        meta[column]
            .as_array()
            .cloned()
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str)
            .map(ToOwned::to_owned)
            .collect()
    };
    assert_eq!(stored("genres"), names(sent, "genres", "name"), "{id} genres");
    assert_eq!(
        stored("spoken_languages"),
        names(sent, "spoken_languages", "iso_639_1"),
        "{id} spoken_languages"
    );
    assert_eq!(
        stored("production_countries"),
        names(sent, "production_countries", "iso_3166_1"),
        "{id} production_countries"
    );
    let length = |v: &Value| v.as_array().map_or(0, Vec::len);
    assert_eq!(
        length(&meta["production_companies"]),
        length(&sent["production_companies"]),
        "{id} production_companies"
    );
    assert_eq!(length(&meta["crew_members"]), length(&sent["credits"]["crew"]), "{id} crew");
    assert_eq!(
        length(&meta["cast_members"]) > 0,
        length(&sent["credits"]["cast"]) > 0,
        "{id} cast"
    );
    assert_eq!(stored("keywords"), names(&sent["keywords"], "keywords", "name"), "{id} keywords");
    assert_eq!(meta["collection"]["id"], sent["belongs_to_collection"]["id"], "{id} collection");
    assert_eq!(
        row.get::<i64, _>("votes_count"),
        sent["vote_count"].as_i64().unwrap_or(0),
        "{id} votes"
    );
    let similar = length(&sent["similar"]["results"]) + length(&sent["recommendations"]["results"]);
    assert_eq!(row.get::<i64, _>("similar") > 0, similar > 0, "{id} similar");
    assert_eq!(row.get::<Value, _>("payload")["title"], sent["title"], "{id} card");
}
