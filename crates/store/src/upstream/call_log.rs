//! One row per TMDB call (`tmdb_call`, and the app's `tmdb_api_logs`), written in batches off the
//! hot path.

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
};

/// A finished call.
#[derive(Debug, Clone)]
pub struct ApiCall {
    /// Path, without query and secret.
    pub endpoint: String,
    /// HTTP method.
    pub method: String,
    /// `None`: there was no answer.
    pub http_status: Option<i32>,
    /// Query parameters without the key.
    pub query_params: Value,
    pub response_size_bytes: Option<i64>,
    /// Until the body was read.
    pub response_time_ms: i64,
    /// Rows of a list.
    pub results_count: Option<i32>,
    /// The service that asked.
    pub service: String,
    pub tmdb_id: Option<i64>,
    pub error_message: Option<String>,
    /// Attempts that failed before.
    pub retry_count: i32,
    /// The run that it served.
    pub run_id: Option<String>,
    /// When it ended.
    pub created_at: OffsetDateTime,
}

/// Marks our rows in the app's table, beside those that the app writes.
const WRITTEN_BY: &str = "mangoes";

/// A row of the app's `tmdb_api_logs`.
fn app_row(call: &ApiCall) -> Value {
    json!({
        "endpoint": call.endpoint,
        "method": call.method,
        "http_status": call.http_status,
        "query_params": call.query_params,
        "response_size_bytes": call.response_size_bytes,
        "response_time_ms": call.response_time_ms,
        "results_count": call.results_count,
        "edge_function": call.service,
        "tmdb_id": call.tmdb_id.map(|id| id.to_string()),
        "error_message": call.error_message,
        "retry_count": call.retry_count,
        "metadata": { "written_by": WRITTEN_BY, "run_id": call.run_id },
        "created_at": call.created_at.format(&Rfc3339).ok(),
    })
}

/// One column of a batch.
fn column<T>(calls: &[ApiCall], field: impl Fn(&ApiCall) -> &T) -> Vec<T>
where
    T: Clone,
{
    calls.iter().map(|call| field(call).clone()).collect()
}

impl Store {
    /// Writes a batch of calls.
    ///
    /// # Errors
    /// When the database does not answer; none is written then.
    pub async fn log_calls(&self, calls: &[ApiCall]) -> Result<(), StoreError> {
        if calls.is_empty() {
            return Ok(());
        }
        let insert = sqlx::query!(
            "
            insert into tmdb_call (
                endpoint, method, http_status, query_params, response_size_bytes,
                response_time_ms, results_count, service, tmdb_id, error_message,
                retry_count, run_id, created_at
            )
            select
                endpoint, method, http_status, query_params, response_size_bytes,
                response_time_ms, results_count, service, tmdb_id, error_message,
                retry_count, run_id, created_at
            from unnest(
                $1::text[], $2::text[], $3::int[], $4::jsonb[], $5::bigint[],
                $6::bigint[], $7::int[], $8::text[], $9::bigint[], $10::text[],
                $11::int[], $12::text[], $13::timestamptz[]
            ) as t (
                endpoint, method, http_status, query_params, response_size_bytes,
                response_time_ms, results_count, service, tmdb_id, error_message,
                retry_count, run_id, created_at
            )
            ",
            &column(calls, |c| &c.endpoint),
            &column(calls, |c| &c.method),
            &column(calls, |c| &c.http_status) as &[Option<i32>],
            &column(calls, |c| &c.query_params),
            &column(calls, |c| &c.response_size_bytes) as &[Option<i64>],
            &column(calls, |c| &c.response_time_ms),
            &column(calls, |c| &c.results_count) as &[Option<i32>],
            &column(calls, |c| &c.service),
            &column(calls, |c| &c.tmdb_id) as &[Option<i64>],
            &column(calls, |c| &c.error_message) as &[Option<String>],
            &column(calls, |c| &c.retry_count),
            &column(calls, |c| &c.run_id) as &[Option<String>],
            &column(calls, |c| &c.created_at)
        );
        within(SHORT, async { Ok(insert.execute(&self.pool).await.map(|_| ())?) }).await?;
        self.show_calls_to_app(calls).await
    }

    /// The same calls in the app's own table and shape. What it does not take is noted in
    /// `bookkeeping_problem`.
    async fn show_calls_to_app(&self, calls: &[ApiCall]) -> Result<(), StoreError> {
        let rows: Vec<Value> = calls.iter().map(app_row).collect();
        let insert = sqlx::query_scalar!(
            r#"
            select insert_into_app('tmdb_api_logs', $1) as "written!"
            "#,
            Value::from(rows)
        );
        within(SHORT, async { Ok(insert.fetch_one(&self.pool).await.map(drop)?) }).await
    }

    /// Removes our own calls from the app's table, those before some days, one step. Returns how
    /// many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn forget_app_calls(&self, days: i32, step: i32) -> Result<i64, StoreError> {
        let gone = sqlx::query_scalar!(
            r#"
            select forget_app_calls(now() - make_interval(days => $1), $2) as "n!"
            "#,
            days,
            step
        );
        Ok(gone.fetch_one(&self.pool).await?)
    }
}
