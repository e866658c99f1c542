//! A deadline for what a message's work asks of the database.
//!
//! sqlx waits for an answer as long as the connection stands, and a connection that fell silent
//! stands for a quarter of an hour. The work is then given back as if the database were away; what
//! is left of its connection is the business of docs/adr/0013.

use std::time::Duration;

use crate::{Store, StoreError};

/// For what takes milliseconds.
pub(crate) const SHORT: Duration = Duration::from_secs(10);
/// For what may write a row for each of a million movies, while the database is seen at it.
const LONG: Duration = Duration::from_secs(300);
/// How long the database may take to say what it works on.
const ANSWER: Duration = Duration::from_secs(4);

impl Store {
    /// For work that may take long, in one transaction: it goes on as long as the database works on
    /// a transaction of this process. On a connection that fell silent nothing of the kind is to be
    /// seen, for the server ends what stands idle.
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
                    return Err(away());
                }
            }
        };
        within(LONG, watched).await
    }
}

fn away() -> StoreError {
    StoreError::Unavailable(sqlx::Error::PoolTimedOut)
}

/// The same, or the error of a database that does not answer.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(away()))
}
