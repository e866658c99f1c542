//! One row per TMDB call (`tmdb_call`, and the app's `tmdb_api_logs`), written in batches off the
//! hot path.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

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
#[derive(Serialize)]
struct AppRow<'a> {
    endpoint: &'a str,
    method: &'a str,
    http_status: Option<i32>,
    query_params: &'a Value,
    response_size_bytes: Option<i64>,
    response_time_ms: i64,
    results_count: Option<i32>,
    edge_function: &'a str,
    tmdb_id: Option<String>,
    error_message: Option<&'a str>,
    retry_count: i32,
    metadata: Metadata<'a>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

#[derive(Serialize)]
struct Metadata<'a> {
    written_by: &'static str,
    run_id: Option<&'a str>,
}

impl<'a> From<&'a ApiCall> for AppRow<'a> {
    fn from(call: &'a ApiCall) -> Self {
        Self {
            endpoint: &call.endpoint,
            method: &call.method,
            http_status: call.http_status,
            query_params: &call.query_params,
            response_size_bytes: call.response_size_bytes,
            response_time_ms: call.response_time_ms,
            results_count: call.results_count,
            edge_function: &call.service,
            tmdb_id: call.tmdb_id.map(|id| id.to_string()),
            error_message: call.error_message.as_deref(),
            retry_count: call.retry_count,
            metadata: Metadata { written_by: WRITTEN_BY, run_id: call.run_id.as_deref() },
            created_at: call.created_at,
        }
    }
}

/// One column of a batch.
fn column<T>(calls: &[ApiCall], field: impl Fn(&ApiCall) -> &T) -> Vec<T>
where
    T: Clone,
{
    calls.iter().map(|call| field(call).clone()).collect()
}

impl Store {
    /// Writes a batch of calls. The commits do not wait for the disk: a crash of Postgres forgets
    /// the calls of its last moment.
    ///
    /// # Errors
    /// When the database does not answer; none is written then.
    pub async fn log_calls(&self, calls: &[ApiCall]) -> Result<(), StoreError> {
        if calls.is_empty() {
            return Ok(());
        }
        let insert = sqlx::query!(
            "
            with without_waiting as (
                select set_config('synchronous_commit', 'off', true)
            )
            insert into tmdb_call (
                endpoint, method, http_status, query_params, response_size_bytes,
                response_time_ms, results_count, service, tmdb_id, error_message,
                retry_count, run_id, created_at
            )
            select
                endpoint, method, http_status, query_params::jsonb, response_size_bytes,
                response_time_ms, results_count, service, tmdb_id, error_message,
                retry_count, run_id, created_at
            from without_waiting, unnest(
                $1::text[], $2::text[], $3::int[], $4::text[], $5::bigint[],
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
            &calls.iter().map(|c| c.query_params.to_string()).collect::<Vec<_>>(),
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
        let rows: Vec<AppRow<'_>> = calls.iter().map(AppRow::from).collect();
        // Our own types are always written.
        let rows = serde_json::to_string(&rows).unwrap_or_default();
        let insert = sqlx::query!(
            r#"
            select
                set_config('synchronous_commit', 'off', true),
                insert_into_app('tmdb_api_logs', $1::text::jsonb) as "written!"
            "#,
            rows
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
