//! One row per TMDB call (`tmdb_api_logs`), written in batches off the hot path.

use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    Store, StoreError,
    within::{SHORT, within},
};

/// A finished call.
#[derive(Debug, Clone)]
pub struct ApiCall {
    /// Path, without query and secret.
    pub endpoint: String,
    /// HTTP method.
    pub method: String,
    /// HTTP status; `None` when there was no answer.
    pub http_status: Option<i32>,
    /// Query parameters without the key.
    pub query_params: Value,
    /// Body size.
    pub response_size_bytes: Option<i64>,
    /// Time until the body was read.
    pub response_time_ms: i64,
    /// Rows of a list.
    pub results_count: Option<i32>,
    /// Who asked.
    pub service: String,
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

impl Store {
    /// Writes a batch of calls.
    ///
    /// # Errors
    /// When the database does not answer; none is written then.
    pub async fn log_calls(&self, calls: &[ApiCall]) -> Result<(), StoreError> {
        macro_rules! column {
            ($field:ident) => {
                &calls.iter().map(|c| c.$field.clone()).collect::<Vec<_>>()
            };
        }
        let insert = sqlx::query!(
            "insert into tmdb_api_logs (endpoint, method, http_status, query_params, response_size_bytes, response_time_ms, results_count,
                service, tmdb_id, error_message, retry_count, run_id, created_at)
             select * from unnest($1::text[], $2::text[], $3::int[], $4::jsonb[], $5::bigint[], $6::bigint[], $7::int[], $8::text[],
                $9::bigint[], $10::text[], $11::int[], $12::text[], $13::timestamptz[])",
            column!(endpoint),
            column!(method),
            column!(http_status) as &[Option<i32>],
            column!(query_params),
            column!(response_size_bytes) as &[Option<i64>],
            column!(response_time_ms),
            column!(results_count) as &[Option<i32>],
            column!(service),
            column!(tmdb_id) as &[Option<i64>],
            column!(error_message) as &[Option<String>],
            column!(retry_count),
            column!(run_id) as &[Option<String>],
            column!(created_at)
        );
        within(SHORT, async { Ok(insert.execute(&self.pool).await.map(drop)?) }).await
    }

    /// Makes the partitions of today and tomorrow.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ensure_log_partitions(&self) -> Result<(), StoreError> {
        sqlx::query(
            "select ensure_tmdb_api_logs_partition(((now() at time zone 'UTC')::date + d)) from generate_series(0, 1) as d",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
