//! The upstream's API below `/3`: routing, refusals, faults, and the answers themselves.

use std::time::Duration;

use serde_json::{Value, json};

use crate::catalogue::mix;
use crate::changes;
use crate::faults::Fault;
use crate::http::{Request, Response};
use crate::lists::{self, List, MAX_PAGE};
use crate::render::Part;
use crate::server::Reply;
use crate::state::{Overlay, Source, State, merge};

/// Most parts one request may append.
const MAX_PARTS: usize = 20;
/// Shortest time a cache may keep details; up to an hour more is added by id.
const DETAIL_MAX_AGE: u64 = 25_000;

/// What a path means.
enum Route<'a> {
    Detail(u64),
    List(List, &'static str),
    Changes,
    MovieChanges(u64),
    Find(&'a str),
    Configuration,
    Authentication,
    Unknown,
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Self {
        if let Some((list, template)) = List::of_path(path) {
            return Self::List(list, template);
        }
        let mut segments = path.trim_end_matches('/').split('/');
        match (segments.next(), segments.next(), segments.next(), segments.next()) {
            (Some("movie"), Some("changes"), None, None) => Self::Changes,
            (Some("movie"), Some(id), None, None) => id.parse().map_or(Self::Unknown, Self::Detail),
            (Some("movie"), Some(id), Some("changes"), None) => id.parse().map_or(Self::Unknown, Self::MovieChanges),
            (Some("find"), Some(id), None, None) => Self::Find(id),
            (Some("configuration"), None, None, None) => Self::Configuration,
            (Some("authentication"), None, None, None) => Self::Authentication,
            _ => Self::Unknown,
        }
    }

    fn template(&self) -> &'static str {
        match self {
            Self::Detail(_) => "movie/{id}",
            Self::List(_, template) => template,
            Self::Changes => "movie/changes",
            Self::MovieChanges(_) => "movie/{id}/changes",
            Self::Find(_) => "find/{external_id}",
            Self::Configuration => "configuration",
            Self::Authentication => "authentication",
            Self::Unknown => "unknown",
        }
    }
}

/// Answers one request, late or wrongly where that is asked for.
pub(crate) async fn answer(state: &State, request: &Request) -> Reply {
    let Some(path) = request.path.strip_prefix("/3/") else {
        return Reply::Whole(Response::html(404));
    };
    let route = Route::of(path);
    let movie_id = if let Route::Detail(id) = route { Some(id) } else { None };
    let _in_flight = state.recorder.arrived(route.template(), movie_id);
    let reply = misbehave(state, request, route).await;
    let status = match &reply {
        Reply::Whole(response) => response.status,
        Reply::Half(_) | Reply::Reset | Reply::Stall => 0,
    };
    state.recorder.answered(status);
    reply
}

async fn misbehave(state: &State, request: &Request, route: Route<'_>) -> Reply {
    let (settings, mut random) = (state.settings(), state.draw());
    if settings.latency_ms > 0.0 {
        let factor = (-(1.0 - random.unit()).ln()).min(10.0);
        tokio::time::sleep(Duration::from_secs_f64((settings.latency_ms * factor / 1_000.0).min(600.0))).await;
    }
    let fault = state.faults().select(random.unit());
    if fault == Some(Fault::Reset) {
        return Reply::Reset;
    }
    if !state.admit(settings.rate_limit) {
        return Reply::Whole(too_many(settings.retry_after));
    }
    match fault {
        None | Some(Fault::WrongId) => Reply::Whole(genuine(state, request, route, fault.is_some()).await),
        Some(Fault::Truncated) => Reply::Half(genuine(state, request, route, false).await),
        Some(Fault::ServerError) => Reply::Whole(Response::error(500, 11, "Internal error: Something went wrong, contact TMDb.")),
        Some(Fault::Unavailable) => {
            Reply::Whole(Response::error(503, 9, "Service offline: This service is temporarily offline, try again later."))
        }
        Some(Fault::TooMany) => Reply::Whole(too_many(settings.retry_after)),
        Some(Fault::Html) => Reply::Whole(Response::html(200)),
        Some(Fault::Reset) => Reply::Reset,
        Some(Fault::Stall) => Reply::Stall,
    }
}

fn too_many(retry_after: bool) -> Response {
    let response = Response::error(429, 25, "Your request count is over the allowed limit.");
    if retry_after { response.header("Retry-After", "1".to_owned()) } else { response }
}

async fn genuine(state: &State, request: &Request, route: Route<'_>, wrong_id: bool) -> Response {
    if request.method != "GET" {
        return Response::error(405, 42, "This request method is not supported for this resource.");
    }
    if !authorised(state, request) {
        return Response::error(401, 7, "Invalid API key: You must be granted a valid key.").cached(300);
    }
    let page = request.param("page").map_or(Some(1), |page| page.parse().ok()).filter(|page| (1..=MAX_PAGE).contains(page));
    let bad_page =
        || Response::error(400, 22, "Invalid page: Pages start at 1 and max at 500. They are expected to be an integer.");
    match route {
        Route::Detail(id) => detail(state, request, id, wrong_id).await,
        Route::List(list, _) => page.map_or_else(bad_page, |page| list_page(state, list, page)),
        Route::Changes => page.map_or_else(bad_page, |page| changes::all(state, request, page)),
        Route::MovieChanges(id) if exists(state, id) => changes::one(state, request, id),
        Route::Find(id) => find(state, request, id).await,
        Route::Configuration => Response::json(200, CONFIGURATION).cached(86_400),
        Route::Authentication => Response::json(200, r#"{"success":true,"status_code":1,"status_message":"Success."}"#),
        Route::MovieChanges(_) | Route::Unknown => Response::not_found(),
    }
}

const CONFIGURATION: &str = r#"{"change_keys":["budget","genres","images","overview","runtime","title"],"images":{"base_url":"http://image.tmdb.org/t/p/","secure_base_url":"https://image.tmdb.org/t/p/","backdrop_sizes":["w300","w780","w1280","original"],"logo_sizes":["w45","w92","w154","w185","w300","w500","original"],"poster_sizes":["w92","w154","w185","w342","w500","w780","original"],"profile_sizes":["w45","w185","h632","original"],"still_sizes":["w92","w185","w300","original"]}}"#;

fn authorised(state: &State, request: &Request) -> bool {
    let given = request.bearer.as_deref().or_else(|| request.param("api_key")).filter(|given| !given.is_empty());
    given.is_some_and(|given| state.credential.as_deref().is_none_or(|wanted| wanted == given))
}

fn exists(state: &State, id: u64) -> bool {
    let created = match &state.source {
        Source::Generated(catalogue, _) => catalogue.exists(id),
        Source::Recorded(recorded) => recorded.exists(id),
    };
    created && !state.is_deleted(id)
}

async fn detail(state: &State, request: &Request, id: u64, wrong_id: bool) -> Response {
    let names: Vec<&str> =
        request.param("append_to_response").unwrap_or_default().split(',').filter(|name| !name.is_empty()).collect();
    if names.len() > MAX_PARTS {
        return Response::error(400, 27, "Too many append to response objects: The maximum number of remote calls is 20.");
    }
    if !exists(state, id) {
        return Response::not_found();
    }
    let id = if wrong_id { another(state, id) } else { id };
    let overlay = state.overlay(id).unwrap_or_default();
    let etag = etag(state, id, &overlay, &names);
    let max_age = DETAIL_MAX_AGE + id % 3_600;
    if request.if_none_match.as_deref() == Some(etag.as_str()) {
        return Response::json(304, "").cached(max_age).header("ETag", etag);
    }
    match body(state, id, overlay, &names).await {
        Some(body) => Response::json(200, body).cached(max_age).header("ETag", etag),
        None => Response::not_found(),
    }
}

async fn body(state: &State, id: u64, overlay: Overlay, names: &[&str]) -> Option<String> {
    let below = match &state.source {
        Source::Generated(catalogue, renderer) => {
            let parts = Part::parse(names.iter().copied());
            let body = renderer.detail(catalogue, &catalogue.movie(id), &parts);
            if overlay.patch.is_none() {
                return Some(body);
            }
            serde_json::from_str(&body).ok()
        }
        Source::Recorded(recorded) => recorded.detail(id, names).await,
    };
    below.map(|mut below| {
        if let Some(patch) = overlay.patch {
            merge(&mut below, patch);
        }
        below.to_string()
    })
}

/// Some other movie that exists.
fn another(state: &State, id: u64) -> u64 {
    match &state.source {
        Source::Generated(catalogue, _) => catalogue.nth(catalogue.index_of(id).unwrap_or(id) + 1),
        Source::Recorded(recorded) => recorded.neighbour(id).unwrap_or(id),
    }
}

fn etag(state: &State, id: u64, overlay: &Overlay, names: &[&str]) -> String {
    let parts = names.iter().flat_map(|name| name.bytes().chain([b','])).fold(0, |hash, byte| mix(hash, u64::from(byte)));
    format!("W/\"{:016x}\"", mix(mix(state.seed, id), mix(parts, overlay.revision)))
}

fn list_page(state: &State, list: List, page: u64) -> Response {
    let body = match &state.source {
        Source::Generated(catalogue, _) => lists::page(state, catalogue, list, page),
        Source::Recorded(recorded) => {
            let mut body = recorded.page(list, page);
            if let Some(rows) = body.get_mut("results").and_then(Value::as_array_mut) {
                rows.retain(|row| row.get("id").and_then(Value::as_u64).is_some_and(|id| !state.is_deleted(id)));
            }
            body.to_string()
        }
    };
    Response::json(200, body).cached(list.max_age())
}

async fn find(state: &State, request: &Request, external_id: &str) -> Response {
    if request.param("external_source") != Some("imdb_id") || !external_id.starts_with("tt") {
        return Response::not_found();
    }
    let rows: Vec<Value> = match &state.source {
        Source::Generated(catalogue, _) => {
            let ids = catalogue.by_imdb(external_id).into_iter().filter(|id| !state.is_deleted(*id));
            ids.filter_map(|id| serde_json::from_str(&lists::row_of(state, catalogue, id, true)).ok()).collect()
        }
        Source::Recorded(recorded) => recorded.by_imdb(external_id).await,
    };
    let body =
        json!({"movie_results": rows, "person_results": [], "tv_results": [], "tv_episode_results": [], "tv_season_results": []});
    Response::json(200, body.to_string()).cached(21_600)
}
