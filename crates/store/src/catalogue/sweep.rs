//! Repairs and releases the refresh queue: rows whose process is gone are queued again, rows that
//! nobody works on are published.

use delivery::MessageRef;
use proto::{Lane, RunId};
use runtime::fault_injection;
use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    catalogue::stale_events::{self, QueueRow},
    delivery::attempts::claim_one,
    jobs::items::{self, ItemState, SettledItem},
};

/// How long a released row may stay `queued` before the sweep publishes it again.
const RELEASE_AGAIN_AFTER_SECS: f64 = 600.0;
/// Titles that are due by more than their age and are queued at a time.
const WANTED_AT_ONCE: i64 = 1_000;
/// Why the row of an unknown movie ends.
const UNKNOWN_MOVIE: &str = "the catalogue has no such movie, or its id is not an id of TMDB";

/// What a sweep may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseOrder {
    /// At most this many rows that wait are published.
    pub limit: i64,
    /// Titles that are due by more than their age are published as soon as they are queued; else
    /// they wait with the others.
    pub release_wanted: bool,
}

impl Store {
    /// Repairs the queue, queues titles that are due by more than their age, and publishes up to
    /// `order.limit` rows that nobody works on. Returns how many of the latter.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn release(
        &self,
        message: &MessageRef,
        run: &RunId,
        order: ReleaseOrder,
    ) -> Result<i64, StoreError> {
        self.while_seen_at_work(async {
            let mut tx = self.pool.begin().await?;
            if !claim_one(&mut tx, message).await? {
                return Ok(0);
            }
            if !fault_injection::without("reaper") {
                requeue_lost(&mut tx).await?;
            }
            adopt_queued(&mut tx).await?;
            queue_wanted(&mut tx, order.release_wanted).await?;
            drop_unknown_movies(&mut tx).await?;
            let rows = take(&mut tx, order.limit).await?;
            stale_events::send_due(&mut tx, &rows, None).await?;
            let released = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            items::close_with(&mut tx, run, released).await?;
            tx.commit().await?;
            Ok(released)
        })
        .await
    }

    /// How many rows [`Self::release`] may publish now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn would_release(&self, limit: i64) -> Result<i64, StoreError> {
        let waiting = sqlx::query_scalar!(
            r#"
            select least($1, count(*)) as "n!"
            from refresh_item
            where status = 'queued'
            "#,
            limit
        );
        Ok(waiting.fetch_one(&self.pool).await?)
    }
}

/// Rows that stay `processing` after their lease: their process is gone.
async fn requeue_lost(tx: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!(
        "
        update refresh_item
        set status = 'queued',
            lease_until = null,
            released_at = null,
            retry_count = retry_count + 1,
            last_error = 'its worker vanished'
        where status = 'processing'
            and (lease_until is null or lease_until < now())
        "
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes over what others queued in the app's own table.
async fn adopt_queued(tx: &mut PgConnection) -> Result<(), StoreError> {
    let adopted = sqlx::query_scalar!(r#"select adopt_queued() as "n!""#).fetch_one(tx).await?;
    if adopted > 0 {
        tracing::info!(rows = adopted, "rows that others put into refresh_queue are taken over");
    }
    Ok(())
}

/// Ends the rows of movies that are not in the catalogue, or whose id is not an id of TMDB: at the
/// head of the queue they would stop everybody. An adopted database may hold some.
async fn drop_unknown_movies(tx: &mut PgConnection) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        "
        update refresh_item q
        set status = 'failed', processed_at = now(), lease_until = null, last_error = $1
        where status in ('queued', 'processing')
            and not exists (
                select 1
                from title t
                where t.work_id = q.work_id and t.tmdb_id is not null
            )
        returning q.run_id, q.tmdb_id
        ",
        UNKNOWN_MOVIE
    )
    .fetch_all(&mut *tx)
    .await?;
    // Only a row of a run has an item.
    let failed: Vec<SettledItem> = rows
        .into_iter()
        .filter_map(|row| {
            Some(SettledItem {
                run_id: row.run_id?,
                tmdb_id: row.tmdb_id?,
                state: ItemState::Failed,
                title: None,
                error: Some(UNKNOWN_MOVIE.to_owned()),
            })
        })
        .collect();
    items::settle(tx, &failed).await
}

/// Queues titles that are due by more than their age: named by the change feed, in demand, pinned,
/// or lacking a part. Scans come once a day, and have a limit.
async fn queue_wanted(tx: &mut PgConnection, release: bool) -> Result<(), StoreError> {
    let rows = sqlx::query_as!(
        QueueRow,
        r#"
        insert into refresh_item (
            work_id, tmdb_id, status, priority, queued_at, lane, reason, released_at
        )
        select
            work_id, tmdb_id, 'queued', $2, now(), $3, due_cause, case when $4 then now() end
        from title t
        where due_cause <> 'policy'
            and scan_at <= now()
            and removed_at is null
            and tmdb_id is not null
            and not exists (
                select 1
                from refresh_item i
                where i.work_id = t.work_id and i.status in ('queued', 'processing')
            )
        order by scan_at
        limit $1
        on conflict do nothing
        returning id, work_id as "work_id!", tmdb_id as "tmdb_id!", lane, reason, run_id
        "#,
        WANTED_AT_ONCE,
        Lane::Fresh.priority(),
        Lane::Fresh.as_str(),
        release
    );
    let rows = rows.fetch_all(&mut *tx).await?;
    if release {
        stale_events::send_due(tx, &rows, None).await?;
    }
    Ok(())
}

/// Takes the rows that are released now: those that never were, then those that were released long
/// ago.
async fn take(tx: &mut PgConnection, limit: i64) -> Result<Vec<QueueRow>, StoreError> {
    let rows = sqlx::query_as!(
        QueueRow,
        r#"
        update refresh_item q
        set released_at = now(), tmdb_id = t.tmdb_id
        from title t
        where t.work_id = q.work_id
            and t.tmdb_id is not null
            and q.id in (
                select id
                from refresh_item
                where status = 'queued'
                    and (
                        released_at is null
                        or released_at < now() - make_interval(secs => $2)
                    )
                order by (released_at is not null), priority desc, queued_at
                limit $1
                for update skip locked
            )
        returning
            q.id, q.work_id as "work_id!", q.tmdb_id as "tmdb_id!", q.lane, q.reason, q.run_id
        "#,
        limit,
        RELEASE_AGAIN_AFTER_SECS
    );
    Ok(rows.fetch_all(tx).await?)
}
