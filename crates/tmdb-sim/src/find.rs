//! The way from an IMDb id to the movie that has it now.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::lists;
use crate::source::Source;
use crate::state::State;

/// Seconds a cache may keep an answer.
const MAX_AGE: u64 = 21_600;

/// Answers `find/{external_id}`.
pub(crate) async fn answer(state: &State, request: &Request, external_id: &str) -> Response {
    if request.param("external_source") != Some("imdb_id") || !external_id.starts_with("tt") {
        return Response::not_found();
    }
    let mut rows = Vec::new();
    for id in holders(state, external_id).await {
        rows.extend(row(state, id).await);
    }
    let body = json!({
        "movie_results": rows, "person_results": [], "tv_results": [], "tv_episode_results": [],
        "tv_season_results": [],
    });
    Response::json(200, body.to_string()).cached(MAX_AGE)
}

/// The movies that have this IMDb id, originally or by an edit.
async fn holders(state: &State, imdb_id: &str) -> BTreeSet<u64> {
    let original = match &state.source {
        Source::Generated(catalogue, _) => catalogue.by_imdb(imdb_id),
        Source::Recorded(recorded) => recorded.by_imdb(imdb_id).await,
    };
    let all = original.into_iter().chain(state.edits.with_imdb(imdb_id));
    all.filter(|id| state.exists(*id) && state.edits.current(*id).may_have_imdb(imdb_id)).collect()
}

async fn row(state: &State, id: u64) -> Option<Value> {
    match &state.source {
        Source::Generated(catalogue, _) => {
            serde_json::from_str(&lists::row_of(state, catalogue, id, true)).ok()
        }
        Source::Recorded(recorded) => {
            let mut row = recorded.row(id).await?;
            state.edited_row(id, &mut row);
            Some(row)
        }
    }
}
