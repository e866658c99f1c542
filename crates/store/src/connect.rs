//! Connecting and migrating.

use std::{str::FromStr, time::Duration};

use runtime::Secret;
use sqlx::{
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{Store, StoreError};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Oldest Postgres that is supported.
const MIN_VERSION: i32 = 150_000;

impl Store {
    /// Connects, checks the server's version. `application_name` shows in `pg_stat_activity`.
    ///
    /// # Errors
    /// Within about 5 s: one sentence with the remedy, without the password.
    pub async fn connect(url: &Secret, application_name: &str, connections: u32) -> Result<Self, StoreError> {
        let shown = runtime::config::mask_url(url.reveal());
        let options = PgConnectOptions::from_str(url.reveal())
            .map_err(|e| StoreError::Setup(format!("DATABASE_URL is no usable URL: {e}")))?
            .application_name(application_name);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(|e| StoreError::Setup(explain(&shown, &e)))?;
        let version =
            sqlx::query_scalar!(r#"select current_setting('server_version_num')::int as "version!""#).fetch_one(&pool).await?;
        if version < MIN_VERSION {
            return Err(StoreError::Setup(format!("Postgres at {shown} is version {}; 15 or later is needed", version / 10_000)));
        }
        Ok(Self { pool })
    }

    /// Applies what is missing of `migrations/`. Several processes may do it at once.
    ///
    /// # Errors
    /// Names the migration.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        MIGRATIONS.run(&self.pool).await.map_err(|e| StoreError::Setup(format!("migration failed: {}", runtime::chain(&e))))
    }

    /// Whether every migration of this program is applied.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        let table = sqlx::query_scalar!(r#"select to_regclass('_sqlx_migrations') is not null as "there!""#)
            .fetch_one(&self.pool)
            .await?;
        if !table {
            return Ok(false);
        }
        let applied: i64 =
            sqlx::query_scalar("select count(*) from _sqlx_migrations where success").fetch_one(&self.pool).await?;
        Ok(usize::try_from(applied).unwrap_or(0) >= MIGRATIONS.iter().count())
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query_scalar!(r#"select 1 as "one!""#).fetch_one(&self.pool).await?;
        Ok(())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
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
