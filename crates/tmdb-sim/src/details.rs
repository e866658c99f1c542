//! The details of a movie with the parts asked for, as a cache may still know them.

use serde_json::Value;
use time::Duration;

use crate::catalogue::mix;
use crate::edits::{Standing, merge};
use crate::http::{Request, Response};
use crate::render::Part;
use crate::state::{Source, State};

/// Most parts one request may append.
const MAX_PARTS: usize = 20;
/// Shortest time a cache may keep details; up to an hour more is added by id.
const MAX_AGE: u64 = 25_000;

/// Answers `movie/{id}`; `wrong_id` shows another movie in place of one that exists.
pub(crate) async fn answer(state: &State, request: &Request, id: u64, wrong_id: bool) -> Response {
    let names: Vec<&str> = request
        .param("append_to_response")
        .unwrap_or_default()
        .split(',')
        .filter(|name| !name.is_empty())
        .collect();
    if names.len() > MAX_PARTS {
        return Response::error(
            400,
            27,
            "Too many append to response objects: The maximum number of remote calls is 20.",
        );
    }
    let id = if wrong_id && state.exists(id) { another(state, id) } else { id };
    let cache_secs = state.settings().cache_secs;
    let now = state.clock.now();
    let (standing, changed_at) =
        state.edits.at(id, now.saturating_sub(Duration::seconds(cache_secs.into())));
    let response = if state.source.created(id) && !standing.deleted {
        shown(state, request, (id, standing), &names).await
    } else {
        Response::not_found()
    };
    if cache_secs == 0 {
        return response;
    }
    // What is out of date was fetched before the change, so it is at least as old as that.
    let age = changed_at.map_or(0, |changed_at| (now - changed_at).whole_seconds());
    response.header("Age", age.to_string())
}

async fn shown(
    state: &State,
    request: &Request,
    (id, standing): (u64, Standing),
    names: &[&str],
) -> Response {
    let etag = etag(state, id, standing.revision, names);
    let max_age = MAX_AGE + id % 3_600;
    if request.if_none_match.as_deref() == Some(etag.as_str()) {
        return Response::json(304, "").cached(max_age).header("ETag", etag);
    }
    match body(state, id, standing.patch.as_deref(), names).await {
        Some(body) => Response::json(200, body).cached(max_age).header("ETag", etag),
        None => Response::not_found(),
    }
}

async fn body(state: &State, id: u64, patch: Option<&Value>, names: &[&str]) -> Option<String> {
    let mut below = match &state.source {
        Source::Generated(catalogue, renderer) => {
            let movie = catalogue.movie_after(id, state.clock.days());
            let body = renderer.detail(catalogue, &movie, &Part::parse(names.iter().copied()));
            if patch.is_none() {
                return Some(body);
            }
            serde_json::from_str(&body).ok()?
        }
        Source::Recorded(recorded) => recorded.detail(id, names).await?,
    };
    if let Some(patch) = patch {
        lay(&mut below, patch.clone(), names);
    }
    Some(below.to_string())
}

/// Lays a patch over a body, without the parts that were not asked for.
fn lay(below: &mut Value, mut patch: Value, names: &[&str]) {
    if let Some(keys) = patch.as_object_mut() {
        keys.retain(|key, _| !Part::is_name(key) || names.contains(&key.as_str()));
    }
    merge(below, patch);
}

/// Some other movie that exists.
fn another(state: &State, id: u64) -> u64 {
    match &state.source {
        Source::Generated(catalogue, _) => catalogue.nth(catalogue.index_of(id).unwrap_or(id) + 1),
        Source::Recorded(recorded) => recorded.neighbour(id).unwrap_or(id),
    }
}

/// Popularity and votes are in the body, so the tag changes with the day as well.
fn etag(state: &State, id: u64, revision: u64, names: &[&str]) -> String {
    let parts = names
        .iter()
        .flat_map(|name| name.bytes().chain([b',']))
        .fold(0, |hash, byte| mix(hash, u64::from(byte)));
    format!(
        "W/\"{:016x}\"",
        mix(mix(state.seed, id), mix(mix(parts, state.clock.days()), revision))
    )
}
