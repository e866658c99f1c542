//! What the database sees of the sessions of this process (`pg_stat_activity`).
//!
//! The questions go out on a connection of their own, for the pool may be what hangs; one at a
//! time, so that it is one connection.

use std::{sync::Arc, time::Duration};

use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};

use crate::Store;

/// Held while a question about the sessions is asked.
pub(crate) type SideConnection = Arc<tokio::sync::Mutex<()>>;

/// The sessions of this process, as the database sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionActivity {
    /// It has worked for more than five seconds on a query of one of them, or one of them has
    /// waited that long for a lock.
    pub waits: bool,
    /// One of them sent a query within the last five seconds.
    pub moves: bool,
}

impl Store {
    /// What the database sees of this process. `None`: it does not answer within `limit`.
    pub async fn session_activity(&self, limit: Duration) -> Option<SessionActivity> {
        let asked = self.aside(async |session, own| {
            sqlx::query_as!(
                SessionActivity,
                r#"
                select
                    coalesce(bool_or(
                        state = 'active' and query_start < now() - interval '5 seconds'
                    ), false) as "waits!",
                    coalesce(bool_or(
                        state_change > now() - interval '5 seconds'
                    ), false) as "moves!"
                from pg_stat_activity
                where application_name = $1 and pid <> pg_backend_pid()
                "#,
                own.get_application_name()
            )
            .fetch_one(session)
            .await
        });
        // Why it does not answer makes no difference to the caller.
        tokio::time::timeout(limit, asked).await.ok()?.ok()
    }

    /// Whether the database works on a transaction of this process that is older than five seconds.
    /// False also when it does not answer within `limit`.
    pub(crate) async fn is_in_a_transaction(&self, limit: Duration) -> bool {
        let asked = self.aside(async |session, own| {
            // The session of a relay is idle while it publishes: it does not count.
            sqlx::query_scalar!(
                r#"
                select exists (
                    select 1
                    from pg_stat_activity
                    where application_name = $1
                        and pid <> pg_backend_pid()
                        and xact_start < now() - interval '5 seconds'
                        and (state = 'active' or state_change > now() - interval '5 seconds')
                ) as "seen!"
                "#,
                own.get_application_name()
            )
            .fetch_one(session)
            .await
        });
        matches!(tokio::time::timeout(limit, asked).await, Ok(Ok(true)))
    }

    /// Asks on a connection beside the pool, which is closed before the next one begins.
    async fn aside<T>(
        &self,
        ask: impl AsyncFnOnce(&mut PgConnection, &PgConnectOptions) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let _only = self.side.lock().await;
        let options = self.pool.connect_options();
        let mut session = options.connect().await?;
        let answer = ask(&mut session, &options).await?;
        session.close().await?;
        Ok(answer)
    }
}
