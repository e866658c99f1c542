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
    /// No connection, a timeout, 5xx, a broken or strange body.
    #[error("TMDB is unavailable: {detail}")]
    Unavailable {
        /// HTTP status, if there was one.
        status: Option<u16>,
        /// What happened.
        detail: String,
    },
    /// TMDB fails on this request and answers others: the request is at fault.
    #[error("TMDB fails on this request and answers others: {detail}")]
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
    /// A permanent refusal.
    #[error("TMDB refused the request ({status}, code {}): {message}", shown_code(code))]
    Rejected {
        /// HTTP status.
        status: u16,
        /// TMDB's own code.
        code: Option<i64>,
        /// TMDB's own message.
        message: String,
    },
    /// JSON that is neither a movie nor a list.
    #[error("TMDB's answer cannot be read: {detail}")]
    Malformed {
        /// What is wrong.
        detail: String,
    },
    /// The body is about another movie.
    #[error("TMDB was asked for movie {asked} and answered about {got}")]
    WrongId {
        /// Asked for.
        asked: TmdbId,
        /// Answered about.
        got: i64,
    },
    /// The body is larger than any movie is.
    #[error("TMDB's answer is larger than {limit_bytes} bytes")]
    BodyTooLarge {
        /// The limit.
        limit_bytes: usize,
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
            Self::Rejected { .. } | Self::BodyTooLarge { .. } => {
                Fate::Reject(Reason::UpstreamRefused)
            }
            Self::Failing { .. }
            | Self::Malformed { .. }
            | Self::WrongId { .. }
            | Self::Setup(_) => Fate::Retry { after: None },
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
    /// Classifies an answer that is not a success by its status and body. `asked`: the movie, where
    /// the request was about one.
    pub(crate) fn of_answer(answer: &Answer, asked: Option<TmdbId>) -> Self {
        let status = answer.status;
        let json: Option<Value> = serde_json::from_str(&answer.body.text).ok();
        let code = json.as_ref().and_then(|j| j.get("status_code")).and_then(Value::as_i64);
        let message = json.as_ref().map_or_else(|| "the body is not JSON".to_owned(), message);
        match (status, code) {
            (429, _) | (_, Some(25)) => Self::RateLimited { retry_after: answer.retry_after },
            (_, Some(CODE_BAD_ID)) => Self::Rejected { status, code, message },
            (401, _) => Self::Unauthorized { code },
            (_, Some(c)) if CODES_UNAUTHORIZED.contains(&c) => Self::Unauthorized { code },
            (404, None) if json.is_none() => Self::Rejected {
                status,
                code,
                message: "the path is unknown; TMDB_BASE_URL must end in /3".to_owned(),
            },
            (404, _) | (_, Some(6 | 34)) => match asked {
                Some(id) => Self::NotFound(id),
                None => Self::Rejected { status, code, message },
            },
            (500.., _) | (_, Some(9 | 11 | 24 | 43 | 46)) | (408, _) => Self::Unavailable {
                status: Some(status),
                detail: format!("HTTP {status}, {message}"),
            },
            (_, _) => Self::Rejected { status, code, message },
        }
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
        assert!(matches!(of(404, r#"{"status_code":34,"success":false}"#), TmdbError::NotFound(_)));
        assert!(matches!(of(404, "<html>"), TmdbError::Rejected { .. }));
        assert!(matches!(of(429, ""), TmdbError::RateLimited { retry_after: None }));
        assert!(matches!(
            of(401, r#"{"status_code":7}"#),
            TmdbError::Unauthorized { code: Some(7) }
        ));
        assert!(matches!(
            of(403, r#"{"status_code":10}"#),
            TmdbError::Unauthorized { code: Some(10) }
        ));
        assert!(matches!(of(500, r#"{"status_code":44}"#), TmdbError::Rejected { .. }));
        assert!(matches!(of(500, r#"{"status_code":11}"#), TmdbError::Unavailable { .. }));
        assert!(matches!(of(503, "<html>"), TmdbError::Unavailable { .. }));
        assert!(matches!(
            of(422, r#"{"errors":["query must be provided"]}"#),
            TmdbError::Rejected { .. }
        ));
        assert!(matches!(of(200, r#"{"success":false,"status_code":34}"#), TmdbError::NotFound(_)));
    }
}
