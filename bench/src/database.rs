//! What the bench asks Postgres. The only file beside the reference that holds SQL: what is
//! measured here is no concern of `store`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use embedded::Postgres;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};

const LOGIN_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// A connection of the bench's own.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) pool: PgPool,
}

impl Database {
    /// Connects as the superuser, who cannot log in otherwise: a checkpoint is his to demand.
    pub(crate) async fn connect(postgres: &Postgres) -> Result<Self> {
        let rules = postgres.log().with_file_name("postgres").join("data/pg_hba.conf");
        let old = std::fs::read_to_string(&rules)?;
        std::fs::write(&rules, format!("host all postgres 127.0.0.1/32 trust\n{old}"))?;
        let server = Pid::from_raw(postgres.pid()).context("Postgres has no process id")?;
        kill_process(server, Signal::HUP)?;
        let url = postgres.database_url();
        let (_, host) = url.split_once('@').context("the address of Postgres has no password")?;
        let url = format!("postgres://postgres@{host}");
        let begun = Instant::now();
        loop {
            match PgPoolOptions::new().max_connections(1).connect(&url).await {
                Ok(pool) => return Ok(Self { pool }),
                Err(error) if begun.elapsed() > LOGIN_LIMIT => {
                    return Err(error).context("the superuser cannot log in");
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// How many bytes of write-ahead log there have been.
    pub(crate) async fn wal_bytes(&self) -> Result<u64> {
        let position: i64 = sqlx::query_scalar(
            "
            select (pg_current_wal_insert_lsn() - '0/0')::bigint
            ",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(u64::try_from(position)?)
    }

    /// The size of the program's database with all its tables and indexes.
    pub(crate) async fn size_bytes(&self) -> Result<u64> {
        let size: i64 = sqlx::query_scalar(
            "
            select pg_database_size(current_database())
            ",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(u64::try_from(size)?)
    }

    /// Makes a database beside the program's, for the same role.
    pub(crate) async fn create_database(&self, name: &'static str) -> Result<()> {
        let statement = format!("create database {name} owner mangoes");
        sqlx::query(AssertSqlSafe(statement)).execute(&self.pool).await?;
        Ok(())
    }

    /// Writes everything that is still only in memory and the log.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        sqlx::query("checkpoint").execute(&self.pool).await?;
        Ok(())
    }
}
