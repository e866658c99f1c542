//! What the database sees of the sessions of this process (`pg_stat_activity`), and its
//! notifications.
//!
//! The questions about sessions go out on a connection of their own: the pool may be what hangs.

use std::time::Duration;

use sqlx::{ConnectOptions, postgres::PgListener};

use crate::{Store, StoreError};

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
        let options = self.pool.connect_options();
        let asked = async {
            let mut session = options.connect().await?;
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
                options.get_application_name()
            )
            .fetch_one(&mut session)
            .await
        };
        // Why it does not answer makes no difference to the caller.
        tokio::time::timeout(limit, asked).await.ok()?.ok()
    }

    /// Whether the database works on a transaction of this process that is older than five seconds.
    /// False also when it does not answer within `limit`.
    pub(crate) async fn is_in_a_transaction(&self, limit: Duration) -> bool {
        let options = self.pool.connect_options();
        let asked = async {
            let mut session = options.connect().await?;
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
                options.get_application_name()
            )
            .fetch_one(&mut session)
            .await
        };
        matches!(tokio::time::timeout(limit, asked).await, Ok(Ok(true)))
    }

    /// Calls back once when it listens, and then for every notification on the channel. Ends when
    /// the connection is lost.
    ///
    /// # Errors
    /// When listening fails.
    pub async fn listen(
        &self,
        channel: &str,
        notified: impl Fn() + Send,
    ) -> Result<(), StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(channel).await?;
        notified();
        while listener.try_recv().await?.is_some() {
            notified();
        }
        Ok(())
    }
}
