//! The ways an upstream can fail, and the choice of one for a request.

use serde::{Deserialize, Serialize};

use crate::http::Response;
use crate::settings::Settings;

/// The limit that an old 429 names where none is set.
const OLD_LIMIT: u32 = 40;

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
    /// Every request is reset.
    pub outage: bool,
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
        ];
        for (share, fault) in shares {
            if draw < share {
                return Some(fault);
            }
            draw -= share;
        }
        None
    }
}

impl Fault {
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
            Self::InvalidJson | Self::Truncated | Self::Reset | Self::WrongId | Self::Stall => {
                return None;
            }
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
