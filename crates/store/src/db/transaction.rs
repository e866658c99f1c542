//! Settings and the time of one transaction.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::StoreError;

/// The time of the transaction, the same as SQL `now()` in each of its statements.
pub(crate) async fn time_of(tx: &mut PgConnection) -> Result<OffsetDateTime, StoreError> {
    let time = sqlx::query_scalar!(r#"select now() as "now!""#);
    Ok(time.fetch_one(tx).await?)
}

/// How long the transaction may be idle before the server ends it, for example `30s`.
pub(crate) async fn may_idle(tx: &mut PgConnection, span: &str) -> Result<(), StoreError> {
    sqlx::query_scalar!(
        "
        select set_config('idle_in_transaction_session_timeout', $1, true)
        ",
        span
    )
    .fetch_one(tx)
    .await?;
    Ok(())
}
