//! The refresh queue (`refresh_item`): `queued -> processing -> completed | failed`, at most one
//! open row per movie.

use std::collections::BTreeSet;

use proto::TmdbId;
use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    db::deadline::{SHORT, within},
    jobs::items::{self, ItemState, SettledItem},
};

/// After a failed refresh, scans leave the movie alone for this many hours times two to the power
/// of the failures, at most a day.
const HOLD_AFTER_FAILURE_HOURS: i32 = 1;
/// A movie with the run that a message names.
#[derive(Clone, Copy)]
pub(crate) struct QueueItem<'a> {
    pub(crate) movie: TmdbId,
    pub(crate) run_id: Option<&'a str>,
}

/// How the row of a movie ends.
pub(crate) struct Ending<'a> {
    pub(crate) title: Option<String>,
    /// `None`: it is completed; else it failed.
    pub(crate) error: Option<&'a str>,
}

impl Store {
    /// Puts a row back to `queued`, with what went wrong; the message itself is delivered again.
    /// `counts`: it was a failed attempt.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn requeue(
        &self,
        movie: TmdbId,
        error: &str,
        counts: bool,
    ) -> Result<(), StoreError> {
        let requeue = sqlx::query!(
            "
            update refresh_item q
            set status = 'queued',
                lease_until = null,
                last_error = $2,
                retry_count = retry_count + $3
            from title t
            where t.tmdb_id = $1::bigint
                and q.work_id = t.work_id
                and q.status = 'processing'
            ",
            movie.get(),
            error,
            i32::from(counts)
        );
        within(SHORT, async { Ok(requeue.execute(&self.pool).await.map(|_| ())?) }).await
    }

    /// Ends a row whose run was cancelled while the message was in flight.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cancelled_in_flight(&self, movie: TmdbId, run_id: &str) -> Result<(), StoreError> {
        let end = sqlx::query!(
            "
            update refresh_item q
            set status = 'failed',
                processed_at = now(),
                lease_until = null,
                last_error = 'its run was cancelled'
            from title t
            where t.tmdb_id = $1::bigint
                and q.work_id = t.work_id
                and q.status in ('queued', 'processing')
                and q.run_id = $2
            ",
            movie.get(),
            run_id
        );
        within(SHORT, async { Ok(end.execute(&self.pool).await.map(|_| ())?) }).await
    }
}

/// Ends the open row of a movie, and the items that wait for it: of the row's run and of the
/// message's.
pub(crate) async fn end(
    tx: &mut PgConnection,
    item: QueueItem<'_>,
    ending: Ending<'_>,
) -> Result<(), StoreError> {
    let queued = sqlx::query_scalar!(
        "
        update refresh_item q
        set status = case when $2::text is null then 'completed' else 'failed' end,
            processed_at = now(),
            lease_until = null,
            last_error = $2
        from title t
        where t.tmdb_id = $1::bigint
            and q.work_id = t.work_id
            and q.status in ('queued', 'processing')
        returning q.run_id
        ",
        item.movie.get(),
        ending.error
    )
    .fetch_all(&mut *tx)
    .await?;
    let of_message = item.run_id.map(ToOwned::to_owned);
    let runs: BTreeSet<String> = queued.into_iter().flatten().chain(of_message).collect();
    let state = if ending.error.is_some() { ItemState::Failed } else { ItemState::Done };
    let settled: Vec<SettledItem> = runs
        .into_iter()
        .map(|run_id| SettledItem {
            run_id,
            tmdb_id: item.movie.get(),
            state,
            title: ending.title.clone(),
            error: ending.error.map(ToOwned::to_owned),
        })
        .collect();
    items::settle(tx, &settled).await
}

/// Gives a refresh up. Scans leave the movie alone for a while, so that it blocks no other.
pub(crate) async fn fail(
    tx: &mut PgConnection,
    item: QueueItem<'_>,
    error: &str,
) -> Result<(), StoreError> {
    // The title first, as the writer does: two transactions never wait for each other in a circle.
    sqlx::query!(
        "
        update title
        set failures = failures + 1,
            hold_until = now()
                + make_interval(hours => least(24, $2 * (2 ^ least(failures, 5))::int))
        where tmdb_id = $1::bigint
        ",
        item.movie.get(),
        HOLD_AFTER_FAILURE_HOURS
    )
    .execute(&mut *tx)
    .await?;
    end(tx, item, Ending { title: None, error: Some(error) }).await
}
