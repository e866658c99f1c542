//! The first look at a database: its version, and whether a pooler stands before it that gives each
//! transaction another session.
//!
//! Behind such a pooler settings, notifications and locks of a session are those of somebody else.
//! It is found out before anything is set.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection, PgConnection, Row, postgres::PgConnectOptions};

use crate::{
    StoreError,
    db::{
        deadline::{SHORT, within},
        error::words,
        tls,
    },
};

/// How often two connections are compared: other clients of a pooler may come in between.
const ROUNDS: u32 = 3;
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(200);
/// Oldest Postgres that is supported.
const MIN_VERSION: i32 = 150_000;

/// What a connection says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Session {
    /// Process id of the server's side.
    pid: i32,
    /// As 150014.
    version: i32,
}

/// Looks at the database with two connections, which are closed again.
///
/// # Errors
/// One sentence that says what to do.
pub(super) async fn look(
    options: &PgConnectOptions,
    shown: &str,
    limit: Duration,
) -> Result<(), StoreError> {
    let (mut one, mut other) = match tokio::join!(connect(options, limit), connect(options, limit))
    {
        (Ok(one), Ok(other)) => (one, other),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) if has_no_more(&error) => {
            return Err(no_second(shown, &error));
        }
        // What the server says tells more than a time-out.
        (Err(error), Err(other)) if error.as_database_error().is_none() => {
            return Err(StoreError::Setup(explain(shown, &other)));
        }
        (Err(error), _) | (_, Err(error)) => {
            return Err(StoreError::Setup(explain(shown, &error)));
        }
    };
    let seen = within(SHORT, async {
        let mut pairs = Vec::new();
        for _ in 0..ROUNDS {
            pairs.push([session(&mut one).await?, session(&mut other).await?]);
        }
        one.close().await?;
        other.close().await?;
        Ok(pairs)
    })
    .await;
    let pairs = match seen {
        Ok(pairs) => pairs,
        Err(error) => return Err(no_second(shown, &error)),
    };
    if let Some([first, _]) = pairs.first().filter(|[first, _]| first.version < MIN_VERSION) {
        return Err(StoreError::Setup(format!(
            "Postgres at {shown} is version {}; 15 or later is needed",
            first.version / 10_000
        )));
    }
    if are_shared(&pairs) {
        return Err(StoreError::Setup(format!(
            "Postgres at {shown} is behind a pooler that gives each transaction another session, \
             where settings, notifications and locks are lost: set the pooler to session pooling, \
             or name the server's own host and port in DATABASE_URL"
        )));
    }
    Ok(())
}

/// It gives one connection and no more.
fn has_no_more(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    matches!(error, sqlx::Error::PoolTimedOut) || code.as_deref() == Some("53300")
}

fn no_second(shown: &str, error: &(dyn std::error::Error + 'static)) -> StoreError {
    StoreError::Setup(format!(
        "Postgres at {shown} gives no second connection: {}; a process needs several: give the \
         server or the pooler more, or end other clients",
        runtime::chain(error)
    ))
}

/// Tries again while the server refuses for now. What it said last is the answer, also when the
/// time ends within an attempt: a refusal says more than silence.
async fn connect(options: &PgConnectOptions, limit: Duration) -> Result<PgConnection, sqlx::Error> {
    let end = tokio::time::Instant::now() + limit;
    let mut refusal = None;
    loop {
        match tokio::time::timeout_at(end, options.connect()).await {
            Err(_) => return Err(refusal.unwrap_or(sqlx::Error::PoolTimedOut)),
            Ok(Err(error)) if is_for_now(&error) && tokio::time::Instant::now() + PAUSE < end => {
                refusal = Some(error);
                tokio::time::sleep(PAUSE).await;
            }
            Ok(connected) => return connected,
        }
    }
}

/// It starts, or has no connection left. Certificates do not change by waiting.
fn is_for_now(error: &sqlx::Error) -> bool {
    if tls::remedy(error).is_some() {
        return false;
    }
    let code = error.as_database_error().and_then(|e| e.code());
    matches!(error, sqlx::Error::Io(_)) || matches!(code.as_deref(), Some("57P03" | "53300"))
}

/// Whether two connections that are both open use one session, or one of them uses several.
fn are_shared(pairs: &[[Session; 2]]) -> bool {
    let is_one = pairs.iter().any(|[one, other]| one.pid == other.pid);
    is_one || pairs.iter().any(|pair| Some(pair) != pairs.first())
}

/// Without a prepared statement, which such a pooler would give to others.
async fn session(connection: &mut PgConnection) -> Result<Session, StoreError> {
    let sql = "select pg_backend_pid(), current_setting('server_version_num')::int";
    let row = sqlx::raw_sql(sql).fetch_one(connection).await?;
    Ok(Session { pid: row.try_get(0)?, version: row.try_get(1)? })
}

fn explain(shown: &str, error: &sqlx::Error) -> String {
    if let Some(remedy) = tls::remedy(error) {
        return format!("Postgres at {shown} cannot be used: {remedy}");
    }
    let remedy = match error.as_database_error().and_then(|e| e.code()).as_deref() {
        Some("28P01" | "28000") => {
            "check user and password in DATABASE_URL, or in PGUSER and PGPASSWORD"
        }
        Some("3D000") => "create the database, or name another in DATABASE_URL",
        Some("53300") => "it has no connection left: give it more, or lower DATABASE_POOL",
        Some("08P01") => "where this is a pooler, its log says what it refuses",
        Some(_) => "see the server's log",
        None => "is it running there? Set DATABASE_URL, or unset it to use an embedded server",
    };
    format!("Postgres at {shown} cannot be used: {}; {remedy}", words(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_are_shared() {
        let pairs = |pids: &[[i32; 2]]| -> Vec<[Session; 2]> {
            pids.iter().map(|two| two.map(|pid| Session { pid, version: 0 })).collect()
        };
        assert!(!are_shared(&pairs(&[[1, 2], [1, 2], [1, 2]])));
        assert!(are_shared(&pairs(&[[1, 1]])), "one for both");
        assert!(are_shared(&pairs(&[[1, 2], [3, 2]])), "another for each transaction");
        assert!(are_shared(&pairs(&[[1, 2], [2, 1]])));
    }
}
