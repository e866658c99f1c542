//! A call beside its answer: who asks, how urgently, and what is logged of it.

use std::time::{Instant, SystemTime};

use proto::{Lane, RunId, TmdbId};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::exchange::Request;

/// Who asks, and how urgently.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The service that asks.
    pub service: &'static str,
    /// The run that the call serves.
    pub run_id: Option<RunId>,
    /// Attempts of the message that failed before.
    pub failed_attempts: i32,
    /// Its place in the order of precedence.
    pub lane: Lane,
}

/// One finished call; becomes a row of `tmdb_call`.
#[derive(Debug, Clone)]
pub struct Call {
    /// Path below `/3`, without query and secret.
    pub endpoint: String,
    /// HTTP method.
    pub method: &'static str,
    /// HTTP status; `None` when there was no answer.
    pub http_status: Option<u16>,
    /// Query parameters without the key.
    pub query_params: Value,
    /// Size of the body after decompression.
    pub response_size_bytes: Option<i64>,
    /// From sending to the end of the body.
    pub response_time_ms: i64,
    /// Rows of a list.
    pub results_count: Option<i32>,
    /// Who asked.
    pub service: &'static str,
    /// Which movie.
    pub tmdb_id: Option<i64>,
    /// What went wrong.
    pub error_message: Option<String>,
    /// Attempts of the message that failed before.
    pub retry_count: i32,
    /// The run that it served.
    pub run_id: Option<RunId>,
    /// When it ended.
    pub created_at: OffsetDateTime,
    /// When it was sent, after it had passed the gate.
    pub sent: Instant,
}

impl Call {
    /// A call that is about to be sent.
    pub(crate) fn begin(request: &Request, context: &CallContext) -> Self {
        let params: Map<String, Value> =
            request.query.iter().map(|(k, v)| ((*k).to_owned(), v.clone().into())).collect();
        Self {
            endpoint: request.endpoint.clone(),
            method: "GET",
            http_status: None,
            query_params: params.into(),
            response_size_bytes: None,
            response_time_ms: 0,
            results_count: None,
            service: context.service,
            tmdb_id: request.movie.map(TmdbId::get),
            error_message: None,
            retry_count: context.failed_attempts,
            run_id: context.run_id.clone(),
            created_at: SystemTime::now().into(),
            sent: Instant::now(),
        }
    }
}

/// Logs calls. Must not block: the caller waits for it.
pub trait CallLog: Send + Sync {
    /// Logs a finished call.
    fn record(&self, call: Call);
}
