//! A deadline for what a message's work asks of the database.
//!
//! sqlx waits for an answer as long as the connection stands, and a connection that fell silent stands for a quarter of an hour.
//! The work is then given back as if the database were away; what is left of its connection is the business of docs/adr/0013.

use std::time::Duration;

use crate::StoreError;

/// For what takes milliseconds.
pub(crate) const SHORT: Duration = Duration::from_secs(10);
/// For what may write a row for each of a million movies.
pub(crate) const LONG: Duration = Duration::from_secs(300);

/// The same, or the error of a database that does not answer.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)))
}
