//! Connects to Postgres, checks its version, and closes the connections.

use std::{str::FromStr, time::Duration};

use runtime::Secret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
};

/// How long a caller waits for a connection, also for one of the pool. After that the database
/// counts as unavailable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the shutdown waits for connections that are in use.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// The settings of each session. A client that hangs in a transaction, or that vanished, must not
/// hold its locks. Between two statements of a transaction a process only computes, so five seconds
/// are enough; the relay, which publishes meanwhile, sets more for itself.
const SESSION: &str = "
    set mangoes.app_schema = 'public';
    set mangoes.writer = 'on';
    set idle_in_transaction_session_timeout = '5s';
    set tcp_keepalives_idle = 15;
    set tcp_keepalives_interval = 5;
    set tcp_keepalives_count = 3";
/// Oldest Postgres that is supported.
const MIN_VERSION: i32 = 150_000;

impl Store {
    /// Connects and checks the server's version. `application_name` shows in `pg_stat_activity`,
    /// with a number that differs between processes.
    ///
    /// # Errors
    /// Within about 3 s: a sentence that says what to do, without the password.
    pub async fn connect(
        url: &Secret,
        application_name: &str,
        connections: u32,
    ) -> Result<Self, StoreError> {
        let shown = runtime::config::mask_url(url.reveal());
        let options = PgConnectOptions::from_str(&with_known_options(url.reveal()))
            .map_err(|e| StoreError::Setup(format!("DATABASE_URL is not a usable URL: {e}")))?
            .application_name(&format!("{application_name} {:08x}", process_number()));
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(CONNECT_TIMEOUT)
            .after_connect(|session, _| {
                Box::pin(async move {
                    let path = search_path();
                    let settings = format!("set search_path = {path}; {SESSION}");
                    sqlx::raw_sql(sqlx::AssertSqlSafe(settings)).execute(session).await.map(drop)
                })
            })
            .connect_with(options)
            .await
            .map_err(|e| StoreError::Setup(explain(&shown, &e)))?;
        let store = Self { pool };
        let version = within(SHORT, store.server_version()).await?;
        if version < MIN_VERSION {
            return Err(StoreError::Setup(format!(
                "Postgres at {shown} is version {}; 15 or later is needed",
                version / 10_000
            )));
        }
        Ok(store)
    }

    async fn server_version(&self) -> Result<i32, StoreError> {
        let version = sqlx::query_scalar!(
            r#"
            select current_setting('server_version_num')::int as "version!"
            "#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(version)
    }

    /// The id of the installation that this database belongs to.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn installation_id(&self) -> Result<String, StoreError> {
        let id = sqlx::query_scalar!(
            r#"
            select id::text as "id!"
            from installation
            "#
        );
        within(SHORT, async { Ok(id.fetch_one(&self.pool).await?) }).await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query_scalar!(r#"select 1 as "one!""#).fetch_one(&self.pool).await?;
        Ok(())
    }

    /// Closes all connections. One that does not come back in time is left to the server.
    pub async fn close(&self) {
        if tokio::time::timeout(CLOSE_TIMEOUT, self.pool.close()).await.is_err() {
            tracing::warn!(
                "some connections to the database were still in use when the process closed them"
            );
        }
    }
}

/// Our tables before the app's.
fn search_path() -> String {
    match runtime::fault_injection::clock_schema() {
        Some(clock) => format!("mangoes, public, {clock}, pg_catalog, pg_temp"),
        None => "mangoes, public, pg_temp".to_owned(),
    }
}

/// The options that sqlx 0.9 reads behind the `?` of an address.
const OPTIONS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// The address without the options that only other clients know, such as `channel_binding` or
/// `sslpassword`: sqlx ignores them as well, but writes their values into its log.
fn with_known_options(url: &str) -> String {
    let Some((address, query)) = url.split_once('?') else { return url.to_owned() };
    let is_known = |option: &&str| {
        let name = option.split('=').next().unwrap_or_default();
        OPTIONS.contains(&name) || name.starts_with("options[") || name.starts_with("options%5B")
    };
    let known: Vec<&str> = query.split('&').filter(is_known).collect();
    if known.is_empty() { address.to_owned() } else { format!("{address}?{}", known.join("&")) }
}

/// In containers every process has the same id.
fn process_number() -> u32 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or_default()
}

fn explain(shown: &str, error: &sqlx::Error) -> String {
    let remedy = match error.as_database_error().and_then(|e| e.code()).as_deref() {
        Some("28P01" | "28000") => "check user and password in DATABASE_URL",
        Some("3D000") => "create the database, or name another in DATABASE_URL",
        Some(_) => "see the server's log",
        None => "is it running there? Set DATABASE_URL, or unset it to use an embedded server",
    };
    format!("Postgres at {shown} cannot be used: {}; {remedy}", runtime::chain(error))
}

#[cfg(test)]
mod tests {
    use super::with_known_options;

    #[test]
    fn options_of_other_clients_are_left_out() {
        for (url, expected) in [
            ("postgres://u:p@h/d", "postgres://u:p@h/d"),
            (
                "postgres://u:p@h/d?sslmode=require&channel_binding=require",
                "postgres://u:p@h/d?sslmode=require",
            ),
            ("postgres://u:p@h/d?sslpassword=sesame", "postgres://u:p@h/d"),
            (
                "postgres://u:p@h/d?options[search_path]=a&pass=sesame",
                "postgres://u:p@h/d?options[search_path]=a",
            ),
        ] {
            assert_eq!(with_known_options(url), expected);
        }
    }
}
