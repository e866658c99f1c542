//! A deadline for every query that the work on a message waits for.
//!
//! sqlx waits for an answer as long as the connection lasts, and a connection that fell silent
//! lasts for a quarter of an hour. After the deadline the database counts as unavailable, and the
//! message is delivered again. docs/adr/0013 says what happens to the silent connection.

use std::time::Duration;

use crate::{Outage, Store, StoreError};

/// For work that takes milliseconds.
pub(crate) const SHORT: Duration = Duration::from_secs(10);
/// For work that may write a row for each of a million movies, while the database is seen working.
const LONG: Duration = Duration::from_secs(300);
/// How long the database may take to say what it works on.
const ANSWER: Duration = Duration::from_secs(4);

impl Store {
    /// For work that may take long, in one transaction. It goes on as long as the database works on
    /// a transaction of this process. On a connection that fell silent there is no such
    /// transaction, because the server ends the idle ones.
    pub(crate) async fn while_seen_at_work<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let watched = async {
            let mut work = std::pin::pin!(work);
            loop {
                tokio::select! {
                    done = &mut work => return done,
                    () = tokio::time::sleep(SHORT) => {}
                }
                if !self.is_in_a_transaction(ANSWER).await {
                    return Err(StoreError::Unavailable(Outage::NoAnswer(SHORT)));
                }
            }
        };
        within(LONG, watched).await
    }
}

/// The result of the work, or the error of a database that does not answer in time.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let no_answer = || Err(StoreError::Unavailable(Outage::NoAnswer(limit)));
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| no_answer())
}
