//! The ways an upstream can fail, and the choice of one for a request.

use serde::{Deserialize, Serialize};

use crate::http::Response;
use crate::list::List;
use crate::settings::Settings;

/// The limit that an old 429 names where none is set.
const OLD_LIMIT: u32 = 40;
/// What a cache has wrong it has wrong for one movie in so many.
const CACHED_EVERY: u64 = 3;

/// Shares of requests that go wrong, each 0 to 1; where they add up to more than 1 the first ones
/// win.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// 500 with status code 11.
    pub http_500: f64,
    /// 502 with status code 43.
    pub http_502: f64,
    /// 503 with status code 9.
    pub http_503: f64,
    /// 504 with status code 24.
    pub http_504: f64,
    /// 429 although the limit is not reached.
    pub http_429: f64,
    /// 200 with a page of HTML.
    pub html: f64,
    /// 200 with JSON that breaks off, although as long as announced.
    pub invalid_json: f64,
    /// A body that ends too early.
    pub truncated: f64,
    /// A connection reset before the answer.
    pub reset: f64,
    /// The details of another movie.
    pub wrong_id: f64,
    /// No answer at all until the client gives up.
    pub stall: f64,
    /// 500 with status code 44: a share of the movies and not of the requests, so that asking again
    /// never helps.
    pub bad_id: f64,
    /// 200 with gzip bytes that no header announces.
    pub unlabelled_gzip: f64,
    /// 200 with `null`.
    pub null: f64,
    /// 403 with a page of HTML, as the edge gives it.
    pub html_403: f64,
    /// 403 with `error code: 1020`, as the edge gives it.
    pub text_403: f64,
    /// 404 with a page of HTML, as the edge gives it.
    pub html_404: f64,
    /// 400 with status code 5. A stray: it comes once at each address, so that whoever asks again
    /// gets a genuine answer.
    pub stray_400: f64,
    /// 401 with status code 7, likewise.
    pub stray_401: f64,
    /// 404 with status code 34, likewise.
    pub stray_404: f64,
    /// What a cache hands out instead of every third movie, by its id, and of all pages of lists
    /// from 2 on: so asking again never helps.
    pub cached: Option<Cached>,
    /// 500 with status code 11 to whoever asks for this list.
    pub unwell_list: Option<List>,
    /// Every request is reset.
    pub outage: bool,
}

/// What a cache may have wrong, each as the share of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cached {
    /// Gzip bytes that no header announces.
    UnlabelledGzip,
    /// JSON that breaks off.
    InvalidJson,
    /// `null`.
    Null,
    /// 403 with a page of HTML.
    Html403,
    /// 403 with `error code: 1020`.
    Text403,
    /// 404 with a page of HTML.
    Html404,
    /// The details of another movie; lists are as they should be.
    WrongId,
}

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    ServerError,
    BadGateway,
    Unavailable,
    Timeout,
    TooMany,
    Html,
    InvalidJson,
    Truncated,
    Reset,
    WrongId,
    Stall,
    BadId,
    UnlabelledGzip,
    Null,
    Html403,
    Text403,
    Html404,
    Stray400,
    Stray401,
    Stray404,
}

impl Faults {
    /// The fault that a draw from `0.0..1.0` selects.
    pub(crate) fn select(&self, mut draw: f64) -> Option<Fault> {
        if self.outage {
            return Some(Fault::Reset);
        }
        let shares = [
            (self.http_500, Fault::ServerError),
            (self.http_502, Fault::BadGateway),
            (self.http_503, Fault::Unavailable),
            (self.http_504, Fault::Timeout),
            (self.http_429, Fault::TooMany),
            (self.html, Fault::Html),
            (self.invalid_json, Fault::InvalidJson),
            (self.truncated, Fault::Truncated),
            (self.reset, Fault::Reset),
            (self.wrong_id, Fault::WrongId),
            (self.stall, Fault::Stall),
            (self.unlabelled_gzip, Fault::UnlabelledGzip),
            (self.null, Fault::Null),
            (self.html_403, Fault::Html403),
            (self.text_403, Fault::Text403),
            (self.html_404, Fault::Html404),
            (self.stray_400, Fault::Stray400),
            (self.stray_401, Fault::Stray401),
            (self.stray_404, Fault::Stray404),
        ];
        for (share, fault) in shares {
            if draw < share {
                return Some(fault);
            }
            draw -= share;
        }
        None
    }

    /// The fault that every request for this movie meets.
    pub(crate) fn of_movie(&self, id: u64) -> Option<Fault> {
        self.cached.filter(|_| id.is_multiple_of(CACHED_EVERY)).map(Fault::from)
    }

    /// The fault that every request for this page of a list meets.
    pub(crate) fn of_list(&self, list: List, page: u64) -> Option<Fault> {
        if self.unwell_list == Some(list) {
            return Some(Fault::ServerError);
        }
        self.cached.filter(|_| page > 1).map(Fault::from)
    }
}

impl From<Cached> for Fault {
    fn from(cached: Cached) -> Self {
        match cached {
            Cached::UnlabelledGzip => Self::UnlabelledGzip,
            Cached::InvalidJson => Self::InvalidJson,
            Cached::Null => Self::Null,
            Cached::Html403 => Self::Html403,
            Cached::Text403 => Self::Text403,
            Cached::Html404 => Self::Html404,
            Cached::WrongId => Self::WrongId,
        }
    }
}

impl Fault {
    /// True for a mistake that is made once at each address.
    pub(crate) const fn is_stray(self) -> bool {
        matches!(self, Self::Stray400 | Self::Stray401 | Self::Stray404)
    }

    /// The answer in place of the genuine one; `None` where the fault spoils the genuine one or
    /// leaves none.
    pub(crate) fn answer(self, settings: &Settings) -> Option<Response> {
        Some(match self {
            Self::ServerError => {
                Response::error(500, 11, "Internal error: Something went wrong, contact TMDb.")
            }
            Self::BadGateway => Response::error(502, 43, "Couldn't connect to the backend server."),
            Self::Unavailable => Response::error(
                503,
                9,
                "Service offline: This service is temporarily offline, try again later.",
            ),
            Self::Timeout => {
                Response::error(504, 24, "Your request to the backend server timed out. Try again.")
            }
            Self::TooMany => too_many(settings),
            Self::Html => Response::html(200),
            Self::BadId => Response::error(500, 44, "The ID is invalid."),
            Self::Null => Response::json(200, "null"),
            Self::Html403 => Response::html(403),
            Self::Text403 => Response::text(403, "error code: 1020"),
            Self::Html404 => Response::html(404),
            Self::Stray400 => Response::error(
                400,
                5,
                "Invalid parameters: Your request parameters are incorrect.",
            ),
            Self::Stray401 => {
                Response::error(401, 7, "Invalid API key: You must be granted a valid key.")
            }
            Self::Stray404 => Response::not_found(),
            Self::InvalidJson
            | Self::Truncated
            | Self::Reset
            | Self::WrongId
            | Self::Stall
            | Self::UnlabelledGzip => return None,
        })
    }
}

fn too_many(settings: &Settings) -> Response {
    let response = if settings.old_429_body {
        let limit = if settings.rate_limit == 0 { OLD_LIMIT } else { settings.rate_limit };
        let count = limit.saturating_add(1);
        let message = format!("Your request count ({count}) is over the allowed limit of {limit}.");
        Response::json(429, format!("{{\"status_code\":25,\"status_message\":\"{message}\"}}"))
    } else {
        Response::error(429, 25, "Your request count is over the allowed limit.")
    };
    if settings.retry_after { response.header("Retry-After", "1".to_owned()) } else { response }
}
