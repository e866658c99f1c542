//! The catalogue's Postgres as a test sees it: questions in words, and rows counted.
//!
//! All SQL of the tests stands behind these words, in `words/`.

use std::{
    future::{Future, IntoFuture},
    marker::PhantomData,
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};

use sqlx::{AssertSqlSafe, PgPool, Row, postgres::PgPoolOptions};

use crate::eventually::{PATIENCE, Wait};

/// Our tables and the app's, as the program's own sessions see them; a database whose time runs
/// fast keeps its own path.
const SEARCH_PATH: &str = "
    select set_config('search_path', 'mangoes, public', false)
    where current_setting('search_path') not like '%fast%'";
/// A database that says nothing for so long is away.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// A way to the database, with the words for what is in it.
#[derive(Debug, Clone)]
pub struct Database {
    pub(crate) pool: PgPool,
    log: PathBuf,
    patience: Duration,
}

/// Rows of a table that meet some conditions: awaited, their number. `Of` says what they are, for
/// each kind has its own conditions.
#[derive(Debug, Clone)]
#[must_use = "nobody asks the database until this is awaited"]
pub struct Rows<'a, Of> {
    database: &'a Database,
    number: &'static str,
    table: String,
    conditions: Vec<String>,
    of: PhantomData<fn() -> Of>,
}

impl Database {
    /// Connects at the first question; `log` is shown where something is waited for in vain.
    pub async fn connect(url: &str, log: &Path) -> Self {
        let options = PgPoolOptions::new().max_connections(4).after_connect(|session, _| {
            Box::pin(async move { sqlx::raw_sql(SEARCH_PATH).execute(session).await.map(drop) })
        });
        // Not yet: the process whose server it is may die before.
        let pool = options.connect_lazy(url).unwrap();
        Self { pool, log: log.to_owned(), patience: PATIENCE }
    }

    /// Waits this long for a condition, instead of `PATIENCE`.
    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Waits until what `look` sees is as wanted, and returns it.
    pub async fn eventually<T: std::fmt::Debug>(
        &self,
        what: &str,
        look: impl AsyncFnMut() -> T,
        wanted: impl Fn(&T) -> bool,
    ) -> T {
        Wait::within(self.patience).showing(&self.log).until(what, look, wanted).await
    }

    pub(crate) fn rows<Of>(&self, table: impl Into<String>) -> Rows<'_, Of> {
        Rows {
            database: self,
            number: "count(*)",
            table: table.into(),
            conditions: Vec::new(),
            of: PhantomData,
        }
    }

    /// The one value that this SQL asks for.
    pub(crate) async fn value<T>(&self, sql: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        self.row(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}")).get(0)
    }

    /// All values of the first column.
    pub(crate) async fn values<T>(&self, sql: &str) -> Vec<T>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.pool).await;
        rows.unwrap_or_else(|e| panic!("{sql}: {e}")).iter().map(|row| row.get(0)).collect()
    }

    /// Does what the SQL says; more than one statement is allowed.
    pub(crate) async fn execute(&self, sql: &str) {
        self.try_execute(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// As `execute`, for what edits works as the app does: waits until it is worked off.
    pub(crate) async fn edit_works(&self, sql: &str) {
        self.execute(sql).await;
        self.execute("select mangoes.apply_work_edits(1000000)").await;
        self.rows::<()>("mangoes.work_edit").becomes(0).await;
    }

    pub(crate) async fn try_execute(&self, sql: &str) -> Result<(), String> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.pool).await;
        done.map(|_| ()).map_err(|e| e.to_string())
    }

    async fn row(&self, sql: &str) -> Result<sqlx::postgres::PgRow, sqlx::Error> {
        sqlx::query(AssertSqlSafe(sql)).fetch_one(&self.pool).await
    }

    /// A number, or why it is not known now.
    async fn look(&self, sql: &str) -> Result<i64, String> {
        let row = tokio::time::timeout(LOOK_LIMIT, self.row(sql)).await;
        match row.map_err(|_| "the database does not answer".to_owned())? {
            Ok(row) => Ok(row.get(0)),
            Err(e) if is_wrong(&e) => panic!("{sql}: {e}"),
            Err(e) => Err(e.to_string()),
        }
    }
}

/// Whether the question itself is wrong. Class 42: syntax error or access rule violation.
fn is_wrong(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|database| database.code());
    code.is_some_and(|code| code.starts_with("42"))
}

impl<'a, Of> Rows<'a, Of> {
    pub(crate) fn and(mut self, condition: impl Into<String>) -> Self {
        self.conditions.push(condition.into());
        self
    }

    /// This number of the rows in place of their count: `max(…)`, `count(distinct …)`.
    pub(crate) fn number(self, number: &'static str) -> Self {
        Self { number, ..self }
    }

    /// The SQL that asks for the number as it is.
    pub(crate) fn select(&self) -> String {
        let conditions = self.conditions.join("\n  and ");
        let conditions = if conditions.is_empty() { "true" } else { &conditions };
        format!("select {}\nfrom {}\nwhere {conditions}", self.number, self.table)
    }

    /// As a whole number; nothing at all is 0.
    fn sql(&self) -> String {
        format!("select coalesce(({}), 0)::bigint", self.select())
    }

    /// Waits until there are exactly so many.
    pub async fn becomes(self, expected: i64) {
        self.until(&format!("becomes {expected}"), |n| *n == Ok(expected)).await;
    }

    /// Waits until there are at least so many.
    pub async fn reaches(self, least: i64) {
        self.until(&format!("reaches {least}"), |n| matches!(n, Ok(n) if *n >= least)).await;
    }

    async fn until(self, what: &str, wanted: impl Fn(&Result<i64, String>) -> bool) {
        let sql = self.sql();
        let look = async || self.database.look(&sql).await;
        // What was waited for is there: the number itself is known.
        let _ = self.database.eventually(&format!("[{sql}] {what}"), look, wanted).await;
    }

    /// Their number, or why it is not known now: the database may be away.
    pub async fn if_known(self) -> Result<i64, String> {
        self.database.look(&self.sql()).await
    }
}

impl<'a, Of> IntoFuture for Rows<'a, Of> {
    type Output = i64;
    type IntoFuture = Pin<Box<dyn Future<Output = i64> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        let (database, sql) = (self.database, self.sql());
        Box::pin(async move { database.value(&sql).await })
    }
}

/// Text as a literal of SQL.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
