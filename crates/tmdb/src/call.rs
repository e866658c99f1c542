//! What surrounds a call: who asks, how urgently, and what is kept of it.

use std::time::Instant;

use proto::{Lane, RunId};
use serde_json::Value;
use time::OffsetDateTime;

/// Who asks.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// Service.
    pub service: &'static str,
    /// The run that it serves.
    pub run_id: Option<RunId>,
    /// Tries that failed before.
    pub try_number: i32,
    /// How urgent it is.
    pub lane: Lane,
}

/// One finished call; becomes a row of `tmdb_api_logs`.
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
    /// Body size after decompression.
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
    /// Tries that failed before.
    pub retry_count: i32,
    /// The run that it served.
    pub run_id: Option<RunId>,
    /// When it ended.
    pub created_at: OffsetDateTime,
    /// When it was sent, after it had passed the gate.
    pub sent: Instant,
}

/// Keeps calls. Must not block: the call waits for it.
pub trait CallLog: Send + Sync {
    /// Keeps one.
    fn record(&self, call: Call);
}
