//! The upstream's API below `/3` and its daily export: routing, refusals, faults.

use serde_json::Value;

use crate::catalogue::{Random, mix};
use crate::faults::Fault;
use crate::http::{Request, Response};
use crate::list::{List, MAX_PAGE};
use crate::reply::Reply;
use crate::source::Source;
use crate::state::State;
use crate::{changes, details, export, find, lists};

/// What a path means.
enum Route<'a> {
    Detail(u64),
    List(List),
    Changes,
    MovieChanges(u64),
    Find(&'a str),
    Configuration,
    Authentication,
    Export,
    Unknown,
}

impl<'a> Route<'a> {
    /// The route of a path; `None` outside of what the API serves.
    fn of(path: &'a str) -> Option<Self> {
        if let Some(file) = path.strip_prefix("/p/exports/") {
            return export::is_served(file).then_some(Self::Export);
        }
        let path = path.strip_prefix("/3/")?;
        if let Some(list) = List::of_path(path) {
            return Some(Self::List(list));
        }
        let mut segments = path.trim_end_matches('/').split('/');
        Some(match (segments.next(), segments.next(), segments.next(), segments.next()) {
            (Some("movie"), Some("changes"), None, None) => Self::Changes,
            (Some("movie"), Some(id), None, None) => id.parse().map_or(Self::Unknown, Self::Detail),
            (Some("movie"), Some(id), Some("changes"), None) => {
                id.parse().map_or(Self::Unknown, Self::MovieChanges)
            }
            (Some("find"), Some(id), None, None) => Self::Find(id),
            (Some("configuration"), None, None, None) => Self::Configuration,
            (Some("authentication"), None, None, None) => Self::Authentication,
            _ => Self::Unknown,
        })
    }

    fn template(&self) -> &'static str {
        match self {
            Self::Detail(_) => "movie/{id}",
            Self::List(list) => list.path(),
            Self::Changes => "movie/changes",
            Self::MovieChanges(_) => "movie/{id}/changes",
            Self::Find(_) => "find/{external_id}",
            Self::Configuration => "configuration",
            Self::Authentication => "authentication",
            Self::Export => "exports/movie_ids",
            Self::Unknown => "unknown",
        }
    }
}

/// Answers one request, late or wrongly where that is asked for.
pub(crate) async fn answer(state: &State, request: &Request) -> Reply {
    let Some(route) = Route::of(&request.path) else {
        return Reply::Whole(Response::html(404));
    };
    let movie_id = if let Route::Detail(id) = route { Some(id) } else { None };
    let _in_flight = state.recorder.arrived(route.template(), movie_id);
    let reply = misbehave(state, request, route).await;
    let status = match &reply {
        Reply::Whole(response) => response.status,
        Reply::Export { whole: true } => 200,
        Reply::Half(_) | Reply::Export { whole: false } | Reply::Reset | Reply::Stall => 0,
    };
    state.recorder.answered(status);
    reply
}

async fn misbehave(state: &State, request: &Request, route: Route<'_>) -> Reply {
    let (settings, mut random) = (state.settings(), state.draw());
    let latency = settings.latency(&mut random);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let outage = state.outage();
    let fault = outage.or_else(|| fault(state, request, &route, &mut random));
    if fault == Some(Fault::Reset) {
        return Reply::Reset;
    }
    // The export lies on another host, which has no such limit.
    let export = matches!(route, Route::Export);
    let refused = outage.is_none() && !export && !state.admit(settings.rate_limit);
    let fault = if refused { Some(Fault::TooMany) } else { fault };
    if let Some(answer) = fault.and_then(|fault| fault.answer(&settings)) {
        return Reply::Whole(answer);
    }
    if fault == Some(Fault::Stall) {
        return Reply::Stall;
    }
    let half = fault == Some(Fault::Truncated);
    if export {
        return Reply::Export { whole: !half };
    }
    let response = genuine(state, request, route, fault == Some(Fault::WrongId)).await;
    if half {
        Reply::Half(response)
    } else if fault == Some(Fault::InvalidJson) {
        Reply::Whole(response.broken_off())
    } else if fault == Some(Fault::UnlabelledGzip) {
        Reply::Whole(response.unlabelled_gzip())
    } else {
        Reply::Whole(response)
    }
}

fn fault(
    state: &State,
    request: &Request,
    route: &Route<'_>,
    random: &mut Random,
) -> Option<Fault> {
    let faults = state.faults();
    let bad_id = |id: u64| Random::new(state.seed, mix(id, 44)).unit() < faults.bad_id;
    let permanent = match route {
        Route::Detail(id) if bad_id(*id) => Some(Fault::BadId),
        Route::Detail(id) => faults.of_movie(*id),
        Route::List(list) => faults.of_list(*list, page_of(request).unwrap_or(1)),
        Route::Changes
        | Route::MovieChanges(_)
        | Route::Find(_)
        | Route::Configuration
        | Route::Authentication
        | Route::Export
        | Route::Unknown => None,
    };
    let passing = faults.select(random.unit());
    passing.filter(|fault| !fault.is_stray() || state.may_stray(&request.path)).or(permanent)
}

/// The page that is asked for; `None` where there can be none of this number.
fn page_of(request: &Request) -> Option<u64> {
    let page = request.param("page").map_or(Some(1), |page| page.parse().ok());
    page.filter(|page| (1..=MAX_PAGE).contains(page))
}

async fn genuine(state: &State, request: &Request, route: Route<'_>, wrong_id: bool) -> Response {
    if request.method != "GET" {
        return Response::error(405, 42, "This request method is not supported for this resource.");
    }
    if !authorised(state, request) {
        return Response::error(401, 7, "Invalid API key: You must be granted a valid key.")
            .cached(300);
    }
    let page = page_of(request);
    let bad_page = || {
        Response::error(
            400,
            22,
            "Invalid page: Pages start at 1 and max at 500. They are expected to be an integer.",
        )
    };
    match route {
        Route::Detail(id) => details::answer(state, request, id, wrong_id).await,
        Route::List(list) => page.map_or_else(bad_page, |page| list_page(state, list, page)),
        Route::Changes => page.map_or_else(bad_page, |page| changes::all(state, request, page)),
        Route::MovieChanges(id) if state.exists(id) => changes::one(state, request, id),
        Route::Find(id) => find::answer(state, request, id).await,
        Route::Configuration => Response::json(200, CONFIGURATION).cached(86_400),
        Route::Authentication => {
            Response::json(200, r#"{"success":true,"status_code":1,"status_message":"Success."}"#)
        }
        Route::MovieChanges(_) | Route::Export | Route::Unknown => Response::not_found(),
    }
}

const CONFIGURATION: &str = concat!(
    r#"{"change_keys":["budget","genres","images","overview","runtime","title"],"images":{"#,
    r#""base_url":"http://image.tmdb.org/t/p/","secure_base_url":"https://image.tmdb.org/t/p/","#,
    r#""backdrop_sizes":["w300","w780","w1280","original"],"#,
    r#""logo_sizes":["w45","w92","w154","w185","w300","w500","original"],"#,
    r#""poster_sizes":["w92","w154","w185","w342","w500","w780","original"],"#,
    r#""profile_sizes":["w45","w185","h632","original"],"#,
    r#""still_sizes":["w92","w185","w300","original"]}}"#,
);

fn authorised(state: &State, request: &Request) -> bool {
    let given = request
        .bearer
        .as_deref()
        .or_else(|| request.param("api_key"))
        .filter(|given| !given.is_empty());
    given.is_some_and(|given| state.credential().as_deref().is_none_or(|wanted| wanted == given))
}

fn list_page(state: &State, list: List, page: u64) -> Response {
    let body = match &state.source {
        Source::Generated(catalogue, _) => lists::page(state, catalogue, list, page),
        Source::Recorded(recorded) => {
            let mut body = recorded.page(list, page);
            if let Some(rows) = body.get_mut("results").and_then(Value::as_array_mut) {
                let id = |row: &Value| row.get("id").and_then(Value::as_u64).unwrap_or(0);
                rows.retain(|row| !state.edits.is_deleted(id(row)));
                rows.iter_mut().for_each(|row| state.edited_row(id(row), row));
            }
            body.to_string()
        }
    };
    Response::json(200, body).cached(list.max_age())
}
