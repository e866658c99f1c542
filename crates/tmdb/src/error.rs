//! Why TMDB gave no answer that can be used, and what becomes of the message that asked.

use std::time::Duration;

use delivery::{Classify, Fate};
use proto::{Reason, TmdbId};
use serde_json::Value;

use crate::{breaker::Refusal, exchange::Answer};

/// Pause of a message when TMDB is down or answers 429 without Retry-After.
const WAIT: Duration = Duration::from_secs(2);
/// Pause of a message when the credential is refused: somebody has to change it.
const WAIT_FOR_CREDENTIAL: Duration = Duration::from_secs(60);
/// TMDB's own code for a bad id, sent with HTTP 500 although it is permanent.
const CODE_BAD_ID: i64 = 44;
/// TMDB's codes for a refused or suspended credential.
const CODES_UNAUTHORIZED: [i64; 9] = [3, 7, 10, 14, 31, 32, 33, 35, 45];
/// Longest piece of TMDB's own message in an error.
const MESSAGE_MAX_CHARS: usize = 200;

/// Why TMDB gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum TmdbError {
    /// 404, code 34.
    #[error("TMDB has no movie {0}")]
    NotFound(TmdbId),
    /// 429.
    #[error("rate limited by TMDB (429)")]
    RateLimited {
        /// The pause that TMDB asked for, if it named one.
        retry_after: Option<Duration>,
    },
    /// The credential is wrong or suspended.
    #[error(
        "TMDB refused the credential (code {}): check TMDB_TOKEN or TMDB_API_KEY",
        shown_code(code)
    )]
    Unauthorized {
        /// TMDB's own code.
        code: Option<i64>,
    },
    /// No answer that TMDB gives when it is well: no connection, a timeout, 5xx, a refusal, a body
    /// that is broken, strange, about another movie or not TMDB's at all.
    #[error("TMDB gave no answer that can be used: {detail}")]
    Unavailable {
        /// HTTP status, if there was one.
        status: Option<u16>,
        /// What happened.
        detail: String,
    },
    /// TMDB gives no answer about this movie and answers about another one. Whether it is this
    /// movie alone is not known yet.
    #[error(
        "TMDB gave no answer about this movie that can be used, though about another: {detail}"
    )]
    Odd {
        /// What happened.
        detail: String,
        /// How long to wait; longer each time.
        after: Duration,
    },
    /// TMDB gives no answer about this movie again and again, and answers about nearly all others:
    /// the request is at fault.
    #[error("TMDB gives no answer about this movie, and answers about another one: {detail}")]
    Failing {
        /// What happened.
        detail: String,
    },
    /// No call was made: the breaker is open.
    #[error("no call was made: {}", stopped_by(*refused))]
    Stopped {
        /// How long calls stay stopped.
        after: Duration,
        /// TMDB refused the credential; otherwise it is down.
        refused: bool,
    },
    /// No call was made: the service drains.
    #[error("no call was made: the service drains")]
    Draining,
    /// No call was made: the run that asked for it was cancelled.
    #[error("no call was made: its run was cancelled")]
    Cancelled,
    /// TMDB's own words about this id: no movie can have it.
    #[error("TMDB refused the id ({status}, code {}): {message}", shown_code(code))]
    BadId {
        /// HTTP status.
        status: u16,
        /// TMDB's own code.
        code: Option<i64>,
        /// TMDB's own message.
        message: String,
    },
    /// The TLS library cannot be used.
    #[error("cannot set up the TMDB client: {0}")]
    Setup(String),
}

impl Classify for TmdbError {
    fn fate(&self) -> Fate {
        match self {
            Self::NotFound(_) => Fate::Missing,
            Self::RateLimited { retry_after } => Fate::Wait { after: retry_after.unwrap_or(WAIT) },
            Self::Unauthorized { .. } => Fate::Wait { after: WAIT_FOR_CREDENTIAL },
            Self::Unavailable { .. } => Fate::Wait { after: WAIT },
            Self::Stopped { after, .. } => Fate::Wait { after: *after },
            Self::Draining => Fate::Wait { after: Duration::ZERO },
            Self::Cancelled => Fate::Reject(Reason::RunCancelled),
            Self::BadId { .. } => Fate::Reject(Reason::UpstreamRefused),
            Self::Odd { after, .. } => Fate::WaitAlone { after: *after },
            Self::Failing { .. } => Fate::Retry { after: None },
            Self::Setup(_) => Fate::Wait { after: WAIT_FOR_CREDENTIAL },
        }
    }
}

impl From<Refusal> for TmdbError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TmdbDown(after) => Self::Stopped { after, refused: false },
            Refusal::CredentialRefused(after) => Self::Stopped { after, refused: true },
        }
    }
}

impl TmdbError {
    /// Whether one answer is not believed: among good answers a single one may be the mistake of a
    /// cache or of a server at TMDB's edge.
    pub(crate) const fn is_in_doubt(&self) -> bool {
        match self {
            Self::NotFound(_)
            | Self::Unauthorized { .. }
            | Self::Unavailable { .. }
            | Self::BadId { .. } => true,
            Self::RateLimited { .. }
            | Self::Odd { .. }
            | Self::Failing { .. }
            | Self::Stopped { .. }
            | Self::Draining
            | Self::Cancelled
            | Self::Setup(_) => false,
        }
    }

    /// An answer that cannot be read, or is about something else.
    pub(crate) fn odd(detail: impl Into<String>) -> Self {
        Self::Unavailable { status: Some(200), detail: detail.into() }
    }

    /// Classifies an answer that is not a success by its status and body. `asked`: the movie, where
    /// the request was about one. Only what TMDB's own JSON says about this movie is a fault of the
    /// request; anything else is TMDB's trouble.
    pub(crate) fn of_answer(answer: &Answer, asked: Option<TmdbId>) -> Self {
        let status = answer.status;
        let json: Option<Value> = serde_json::from_str(&answer.body.text).ok();
        let code = json.as_ref().and_then(|j| j.get("status_code")).and_then(Value::as_i64);
        let message = json.as_ref().map_or_else(|| not_json(status), message);
        match (status, code, asked) {
            (429, _, _) | (_, Some(25), _) => Self::RateLimited { retry_after: answer.retry_after },
            (_, Some(CODE_BAD_ID), Some(_)) => Self::BadId { status, code, message },
            (401, Some(_), _) => Self::Unauthorized { code },
            (_, Some(c), _) if CODES_UNAUTHORIZED.contains(&c) => Self::Unauthorized { code },
            (_, Some(6 | 34), Some(id)) => Self::NotFound(id),
            (_, Some(c), _) => {
                let detail = format!("HTTP {status}, code {c}: {message}");
                Self::Unavailable { status: Some(status), detail }
            }
            (_, None, _) => Self::Unavailable {
                status: Some(status),
                detail: format!("HTTP {status}, {message}"),
            },
        }
    }
}

/// What is not TMDB's JSON says nothing about a movie or a credential.
fn not_json(status: u16) -> String {
    match status {
        404 => "the body is not JSON: is this TMDB? TMDB_BASE_URL has to end in /3".to_owned(),
        _ => "the body is not JSON".to_owned(),
    }
}

fn stopped_by(refused: bool) -> &'static str {
    if refused {
        "TMDB refused the credential before; check TMDB_TOKEN or TMDB_API_KEY"
    } else {
        "TMDB is down"
    }
}

fn shown_code(code: &Option<i64>) -> String {
    code.map_or_else(|| "none".to_owned(), |code| code.to_string())
}

/// TMDB's own message: `status_message`, or the older `errors`.
fn message(body: &Value) -> String {
    let text = match (body.get("status_message").and_then(Value::as_str), body.get("errors")) {
        (Some(text), _) => text.to_owned(),
        (None, Some(errors)) => errors.to_string(),
        (None, None) => "without a message".to_owned(),
    };
    text.chars().take(MESSAGE_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use catalogue::Body;

    use super::*;

    #[test]
    fn answers_are_classified() {
        let id = TmdbId::try_from(603).unwrap();
        let of = |status, body: &str| {
            let body = Body { text: body.to_owned(), packed: None };
            let answer = Answer { status, retry_after: None, body };
            TmdbError::of_answer(&answer, Some(id))
        };
        for (status, body, expected) in [
            (404, r#"{"status_code":34,"success":false}"#, "not found"),
            (200, r#"{"success":false,"status_code":34}"#, "not found"),
            (429, "", "rate limited"),
            (401, r#"{"status_code":7}"#, "unauthorized"),
            (403, r#"{"status_code":10}"#, "unauthorized"),
            (500, r#"{"status_code":44}"#, "bad id"),
            // Everything else is TMDB's trouble, whatever its status.
            (500, r#"{"status_code":11}"#, "unavailable"),
            (503, "<html>", "unavailable"),
            (404, "<html>", "unavailable"),
            (404, r#"{"message":"no Route matched"}"#, "unavailable"),
            (403, "error code: 1020", "unavailable"),
            (401, "<html>", "unavailable"),
            (400, r#"{"status_code":5,"status_message":"Invalid parameters"}"#, "unavailable"),
            (422, r#"{"errors":["query must be provided"]}"#, "unavailable"),
            (302, "", "unavailable"),
        ] {
            let got = match of(status, body) {
                TmdbError::NotFound(_) => "not found",
                TmdbError::RateLimited { .. } => "rate limited",
                TmdbError::Unauthorized { .. } => "unauthorized",
                TmdbError::BadId { .. } => "bad id",
                TmdbError::Unavailable { .. } => "unavailable",
                TmdbError::Odd { .. }
                | TmdbError::Failing { .. }
                | TmdbError::Stopped { .. }
                | TmdbError::Draining
                | TmdbError::Cancelled
                | TmdbError::Setup(_) => "never of an answer",
            };
            assert_eq!(got, expected, "{status} {body}");
        }
    }

    /// A list is no movie: its 404 is no word about one.
    #[test]
    fn a_list_is_never_the_fault_of_who_asks() {
        let body = Body { text: r#"{"status_code":34,"success":false}"#.to_owned(), packed: None };
        let answer = Answer { status: 404, retry_after: None, body };
        let error = TmdbError::of_answer(&answer, None);
        assert!(matches!(error, TmdbError::Unavailable { .. }), "{error}");
    }
}
