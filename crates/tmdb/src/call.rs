//! What surrounds a call: who asks, under which budget, and what is kept of it.

use std::time::Duration;

use futures::future::BoxFuture;
use proto::Lane;
use serde_json::Value;
use time::OffsetDateTime;

/// Who asks.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// Service.
    pub service: &'static str,
    /// The run that it serves.
    pub run_id: Option<String>,
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
    pub run_id: Option<String>,
    /// When it ended.
    pub created_at: OffsetDateTime,
}

/// Keeps calls. Must not block: the call waits for it.
pub trait CallLog: Send + Sync {
    /// Keeps one.
    fn record(&self, call: Call);
}

/// Grants calls under the budget that all processes share.
pub trait Budget: Send + Sync {
    /// Returns when the call may be made.
    fn acquire(&self, lane: Lane) -> BoxFuture<'_, ()>;
    /// A 429 came.
    fn refused(&self, retry_after: Option<Duration>);
    /// Any other answer came.
    fn answered(&self);
}

/// No budget at all.
#[derive(Debug, Clone, Copy)]
pub struct Unlimited;

impl Budget for Unlimited {
    fn acquire(&self, _: Lane) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn refused(&self, _: Option<Duration>) {}

    fn answered(&self) {}
}
