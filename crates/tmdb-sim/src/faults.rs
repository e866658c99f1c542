//! The ways an upstream can fail, and the choice of one for a request.

use serde::{Deserialize, Serialize};

/// Shares of requests that go wrong, each 0 to 1; where they add up to more than 1 the first ones win.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// 500 with status code 11.
    pub http_500: f64,
    /// 503 with status code 9.
    pub http_503: f64,
    /// 429 although the limit is not reached.
    pub http_429: f64,
    /// 200 with a page of HTML.
    pub html: f64,
    /// A body that ends too early.
    pub truncated: f64,
    /// A connection reset before the answer.
    pub reset: f64,
    /// The details of another movie.
    pub wrong_id: f64,
    /// No answer at all until the client gives up.
    pub stall: f64,
    /// Every request is reset.
    pub outage: bool,
}

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    ServerError,
    Unavailable,
    TooMany,
    Html,
    Truncated,
    Reset,
    WrongId,
    Stall,
}

impl Faults {
    /// The fault that a draw from `0.0..1.0` selects.
    pub(crate) fn select(&self, mut draw: f64) -> Option<Fault> {
        if self.outage {
            return Some(Fault::Reset);
        }
        let shares = [
            (self.http_500, Fault::ServerError),
            (self.http_503, Fault::Unavailable),
            (self.http_429, Fault::TooMany),
            (self.html, Fault::Html),
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
