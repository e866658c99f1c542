//! Rows of bookkeeping that could not be written into tables of the app.

use time::OffsetDateTime;

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
};

/// A table of the app that refused rows of ours. No work waited for them.
#[derive(Debug, Clone)]
pub struct BookkeepingProblem {
    pub table_name: String,
    /// What the database said last.
    pub problem: String,
    pub times: i64,
    pub last_at: OffsetDateTime,
}

impl Store {
    /// What could not be written so far.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bookkeeping_problems(&self) -> Result<Vec<BookkeepingProblem>, StoreError> {
        let problems = sqlx::query_as!(
            BookkeepingProblem,
            "
            select table_name, problem, times, last_at
            from bookkeeping_problem
            order by table_name
            limit 100
            "
        );
        within(SHORT, async { Ok(problems.fetch_all(&self.pool).await?) }).await
    }
}
