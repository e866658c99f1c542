//! The oracle: submits work, notes what the broker confirmed, and says at the end which of it was
//! not met.
//!
//! It speaks to the servers directly, beside the proxies, and shares no code with the program but
//! the contracts.

mod attempts;
mod contradictions;
mod met;
pub(crate) mod questions;
mod streams;
mod submit;
mod verdict;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, PgPool, Row, postgres::PgPoolOptions};
use time::OffsetDateTime;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A movie that TMDB has.
    Ingest,
    /// A movie that TMDB does not have.
    Unknown,
    /// A movie of the catalogue is to be refreshed.
    Stale,
    /// No such message can be worked off.
    Bad,
    /// A list.
    List,
}

/// Something that the broker confirmed, or perhaps took without the confirmation coming back.
#[derive(Debug, Clone)]
pub(crate) struct Obligation {
    pub(crate) kind: Kind,
    pub(crate) tmdb_id: i64,
    /// Message id; also the mark of a bad payload.
    pub(crate) key: String,
    /// Whether it was sent under that id.
    pub(crate) named: bool,
    pub(crate) confirmed: bool,
    pub(crate) at: OffsetDateTime,
    pub(crate) met: bool,
    /// Nobody but the broker held it when the broker's store was deleted.
    pub(crate) exempt: bool,
    /// The broker's store was deleted while it was open, and Postgres had recorded it: met under
    /// another message.
    pub(crate) recorded: bool,
}

/// After a fault all places may be taken for a while.
async fn open_pool(database_url: &str) -> PgPool {
    let begun = Instant::now();
    loop {
        match PgPoolOptions::new().max_connections(4).connect(database_url).await {
            Ok(pool) => return pool,
            Err(e) => assert!(begun.elapsed() < Duration::from_secs(60), "Postgres: {e}"),
        }
    }
}

/// How soon what was confirmed has to be met.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// As the documents promise.
    pub(crate) promised: Duration,
    /// Nobody waits longer.
    pub(crate) most: Duration,
}

/// What came of waiting.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    /// When everything was met; `None`: it took too long.
    pub(crate) after: Option<Duration>,
    /// Keys of what was open when the promised time was over.
    pub(crate) late: Vec<String>,
}

/// Titles by id, as the simulator has them.
pub(crate) type Titles = BTreeMap<i64, String>;

pub(crate) struct Oracle {
    nats_url: String,
    pool: Mutex<PgPool>,
    database_url: String,
    client: Mutex<Option<async_nats::Client>>,
    pub(crate) sim: tmdb_sim::Control,
    titles: Titles,
    pub(crate) all: Mutex<Vec<Obligation>>,
    /// The latest title of each movie that was edited, with the refresh that has to bring it in.
    edits: Mutex<BTreeMap<i64, (String, String)>>,
    begun: OffsetDateTime,
    /// TMDB's answers were spoiled for a while.
    pub(crate) spoiled_answers: AtomicBool,
}

pub(crate) type Shared = Arc<Oracle>;

impl Oracle {
    pub(crate) async fn new(
        nats_url: String,
        database_url: String,
        sim: tmdb_sim::Control,
        titles: Titles,
    ) -> Shared {
        let pool = open_pool(&database_url).await;
        sqlx::raw_sql(questions::COUNT_ATTEMPTS).execute(&pool).await.unwrap();
        Arc::new(Self {
            nats_url,
            pool: Mutex::new(pool),
            database_url,
            client: Mutex::new(None),
            sim,
            titles,
            all: Mutex::default(),
            edits: Mutex::default(),
            begun: tests::now(),
            spoiled_answers: AtomicBool::new(false),
        })
    }

    pub(crate) fn pool(&self) -> PgPool {
        self.pool.lock().unwrap().clone()
    }

    /// A number, or `None` while the database is away.
    pub(crate) async fn look(&self, sql: &str) -> Option<i64> {
        let query = sqlx::query(AssertSqlSafe(sql));
        let row = tokio::time::timeout(Duration::from_secs(5), query.fetch_one(&self.pool()))
            .await
            .ok()?;
        row.ok().map(|row| row.get(0))
    }

    /// Does what the SQL says; more than one statement is allowed.
    pub(crate) async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.pool()).await.unwrap();
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        let rows = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&self.pool())
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
        rows.iter().map(|row| row.get::<Option<String>, _>(0).unwrap_or_default()).collect()
    }

    pub(crate) fn begun(&self) -> OffsetDateTime {
        self.begun
    }
}
