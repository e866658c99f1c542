//! What each statement of a lap cost Postgres, by `pg_stat_statements`: what a figure is made of.
//! Only where it is asked for, because counting costs a little.

use anyhow::Result;
use sqlx::Row;

use crate::{database::Database, output::line};

/// The setting that loads it with the server.
pub(crate) const PRELOAD: &str = "shared_preload_libraries=pg_stat_statements";
/// Characters of a statement that tell it from others.
const SHOWN_CHARS: usize = 90;

/// Begins to count, at a lap's start.
///
/// # Errors
/// The extension is not there.
pub(crate) async fn begin(database: &Database) -> Result<()> {
    sqlx::raw_sql(
        "
        create extension if not exists pg_stat_statements;
        select pg_stat_statements_reset();
        ",
    )
    .execute(&database.pool)
    .await?;
    Ok(())
}

/// Prints the statements that took the most time, in microseconds a movie.
///
/// # Errors
/// The server does not answer.
pub(crate) async fn show(database: &Database, lap: &str, movies: usize) -> Result<()> {
    let rows = sqlx::query(
        "
        select calls, rows, total_exec_time * 1000 / $1 as micros, query
        from pg_stat_statements
        where toplevel
        order by total_exec_time desc
        limit 25
        ",
    )
    .bind(f64::from(u32::try_from(movies)?))
    .fetch_all(&database.pool)
    .await?;
    line(&format!("\n{lap}: statements, microseconds a movie, calls, rows"));
    for row in rows {
        let (micros, query): (f64, String) = (row.try_get("micros")?, row.try_get("query")?);
        let (calls, rows): (i64, i64) = (row.try_get("calls")?, row.try_get("rows")?);
        let words = query.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown: String = words.chars().take(SHOWN_CHARS).collect();
        line(&format!("{micros:9.1} {calls:7} {rows:8}  {shown}"));
    }
    Ok(())
}
