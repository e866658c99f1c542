//! Connects to Postgres and closes the connections.
//!
//! A process holds at most as many connections as it is given: one is kept for the questions about
//! the others (`sessions`), the rest are the pool's, of which one listens (`notifications`).

use std::time::Duration;

use runtime::Secret;
use sqlx::postgres::PgPoolOptions;

use crate::{
    Store, StoreError,
    db::{
        deadline::{SHORT, within},
        error::may_be_useless,
        password::Follow,
        pooler, session_settings,
        target::{self, StoreOptions},
    },
};

/// How long a caller waits for a connection, also for one of the pool. After that the database
/// counts as unavailable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the shutdown waits for connections that are in use.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

impl Store {
    /// Connects to the database at this address, as [`Self::open`] does.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn connect(url: &Secret, name: &str, connections: u32) -> Result<Self, StoreError> {
        Self::open(StoreOptions::new(url, name, connections)).await
    }

    /// Connects, and checks the server's version and that no pooler mixes sessions.
    ///
    /// # Errors
    /// Within about 3 s: a sentence that says what to do, without the password.
    pub async fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let session_name = target::session_name(&options.name);
        let parsed = target::parsed(&options.url, &session_name)?;
        let shown = runtime::config::mask_url(options.url.reveal());
        pooler::look(&parsed, &shown, CONNECT_TIMEOUT).await?;
        let pool = pool(&options).connect_lazy_with(parsed);
        if let Some(source) = options.source {
            let follow = Follow { pool: pool.clone(), source, url: options.url, session_name };
            tokio::spawn(follow.until_closed());
        }
        Ok(Self::new(pool))
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

    /// Forgets which transactions wrote the app's rows where they were another cluster's: in a
    /// database that was restored from a dump their ids say nothing. Where this role may not ask
    /// which cluster it is, they are forgotten each time. To be called before anything is written.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_other_cluster(&self) -> Result<(), StoreError> {
        let is_known = sqlx::query_scalar!(
            r#"select has_function_privilege('pg_control_system()', 'execute') as "is_known!""#
        );
        let forget = sqlx::query!(
            "
            update title
            set details_xid = null, card_xid = null
            where details_xid is not null or card_xid is not null
            "
        );
        let of_another = sqlx::query!(
            "
            with here as (
                update installation
                set cluster = s.system_identifier
                from pg_control_system() s
                where cluster is distinct from s.system_identifier
                returning 1
            )
            update title
            set details_xid = null, card_xid = null
            where exists (select 1 from here)
                and (details_xid is not null or card_xid is not null)
            "
        );
        self.while_seen_at_work(async {
            if is_known.fetch_one(&self.pool).await? {
                of_another.execute(&self.pool).await?;
            } else {
                forget.execute(&self.pool).await?;
            }
            Ok(())
        })
        .await
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

/// One connection less than the process may have: the last is for questions about the others.
fn pool(options: &StoreOptions) -> PgPoolOptions {
    let settings = session_settings::sql(&options.app_schema);
    PgPoolOptions::new()
        .max_connections(options.connections.saturating_sub(1).max(1))
        .acquire_timeout(CONNECT_TIMEOUT)
        .after_connect(move |session, _| {
            let settings = sqlx::AssertSqlSafe(settings.clone());
            Box::pin(async move {
                // Whatever a new session is refused with is about the session, and no word about
                // the data of whoever waits for it.
                let refused = |e: sqlx::Error| sqlx::Error::Configuration(e.into());
                sqlx::raw_sql(settings).execute(session).await.map(drop).map_err(refused)
            })
        })
        // Plans of a table that was changed meanwhile fail for as long as their connection lasts,
        // and a server that was replaced refuses to write for as long.
        .before_acquire(|_, session| Box::pin(async move { Ok(!may_be_useless(session.age)) }))
}
