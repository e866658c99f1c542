//! A large catalogue, and how much of it a look reads.

use crate::database::{Database, quoted};

const MANY_TITLES: &str = include_str!("many_titles.sql");

impl Database {
    /// So many titles with all that a busy installation has beside them. The database is new.
    pub async fn add_many_titles(&self, titles: i64) {
        let flush = "select pg_stat_force_next_flush()";
        self.execute(&format!("set mangoes.titles = {titles}; {MANY_TITLES}; {flush}")).await;
    }

    /// Rows of tables and entries of indexes that a command read, when its sessions have ended:
    /// only then do they say so.
    pub async fn rows_read_by(&self, command: impl FnOnce()) -> i64 {
        let before = self.rows_read().await;
        command();
        let sessions: String = format!("application_name like {}", quoted("mangoes%"));
        let open = format!("select count(*) from pg_stat_activity where {sessions}");
        let look = async || self.value::<i64>(&open).await;
        self.eventually("the command's sessions end", look, |open| *open == 0).await;
        self.rows_read().await - before
    }

    /// Rows and entries that a query of the test's own reads.
    pub async fn rows_read_for(&self, sql: &str) -> i64 {
        let before = self.rows_read().await;
        self.execute(&format!("{sql}; select pg_stat_force_next_flush()")).await;
        self.rows_read().await - before
    }

    async fn rows_read(&self) -> i64 {
        self.value(
            "select (
                (select sum(seq_tup_read) from pg_stat_user_tables)
                + (select sum(idx_tup_read) from pg_stat_user_indexes)
            )::bigint",
        )
        .await
    }
}
