//! The details of a movie with the parts asked for, as a cache may still know them.

use serde_json::Value;
use time::Duration;

use crate::catalogue::mix;
use crate::edits::{Condition, lay};
use crate::http::{Request, Response};
use crate::render::Part;
use crate::source::Source;
use crate::state::State;

/// Most parts one request may append.
const MAX_PARTS: usize = 20;
/// Shortest time a cache may keep details; up to an hour more is added by id.
const MAX_AGE: u64 = 25_000;
/// The language of requests that name none, and of every invented video.
const GENERATED: &str = "en";

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
    let (condition, changed_at) =
        state.edits.at(id, now.saturating_sub(Duration::seconds(cache_secs.into())));
    let response = if state.source.created(id) && !condition.deleted {
        let detail = Detail { id, condition, names, languages: languages(request) };
        detail.response(state, request.if_none_match.as_deref()).await
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

/// The languages of videos that are sent: the request's own, and those that it names besides.
fn languages(request: &Request) -> Vec<&str> {
    let own = request.param("language").and_then(|language| language.split('-').next());
    let more = request.param("include_video_language").unwrap_or_default();
    [own.unwrap_or(GENERATED)].into_iter().chain(more.split(',')).collect()
}

/// The details of a movie that exists, with the parts of these names.
struct Detail<'a> {
    id: u64,
    condition: Condition,
    names: Vec<&'a str>,
    languages: Vec<&'a str>,
}

impl Detail<'_> {
    async fn response(&self, state: &State, if_none_match: Option<&str>) -> Response {
        let etag = self.etag(state);
        let max_age = MAX_AGE + self.id % 3_600;
        if if_none_match == Some(etag.as_str()) {
            return Response::json(304, "").cached(max_age).header("ETag", etag);
        }
        match self.body(state).await {
            Some(body) => Response::json(200, body).cached(max_age).header("ETag", etag),
            None => Response::not_found(),
        }
    }

    async fn body(&self, state: &State) -> Option<String> {
        let patch = self.condition.patch.as_deref();
        let mut below = match &state.source {
            Source::Generated(catalogue, renderer) => {
                let movie = catalogue.movie_after(self.id, state.clock.days());
                let parts = Part::parse(self.names.iter().copied());
                let body = renderer.detail(catalogue, &movie, &parts);
                if patch.is_none() && self.languages.contains(&GENERATED) {
                    return Some(body);
                }
                serde_json::from_str(&body).ok()?
            }
            Source::Recorded(recorded) => recorded.detail(self.id, &self.names).await?,
        };
        if let Some(patch) = patch {
            lay(&mut below, self.visible(patch.clone()));
        }
        let videos = below.pointer_mut("/videos/results").and_then(Value::as_array_mut);
        if let Some(videos) = videos {
            videos.retain(|video| self.is_understood(video));
        }
        Some(below.to_string())
    }

    /// Whether a video is in a language that was asked for; `null` stands for none.
    fn is_understood(&self, video: &Value) -> bool {
        let language = video.get("iso_639_1").and_then(Value::as_str).unwrap_or("null");
        self.languages.contains(&language)
    }

    /// A patch without the parts that were not asked for.
    fn visible(&self, mut patch: Value) -> Value {
        if let Some(keys) = patch.as_object_mut() {
            keys.retain(|key, _| !Part::is_name(key) || self.names.contains(&key.as_str()));
        }
        patch
    }

    /// Popularity and votes are in the body, so the tag changes with the day as well.
    fn etag(&self, state: &State) -> String {
        let parts = self
            .names
            .iter()
            .flat_map(|name| name.bytes().chain([b',']))
            .fold(0, |hash, byte| mix(hash, u64::from(byte)));
        let content = mix(mix(parts, state.clock.days()), self.condition.revision);
        format!("W/\"{:016x}\"", mix(mix(state.seed, self.id), content))
    }
}

/// Some other movie that exists.
fn another(state: &State, id: u64) -> u64 {
    match &state.source {
        Source::Generated(catalogue, _) => catalogue.nth(catalogue.index_of(id).unwrap_or(id) + 1),
        Source::Recorded(recorded) => recorded.neighbour(id).unwrap_or(id),
    }
}
