//! Queues movies that are due, the longest due first.

use delivery::MessageRef;
use proto::{Lane, RunId};
use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    catalogue::stale_events::{self, QueueRow},
    delivery::attempts::claim_one,
    jobs::items,
};

/// Movies of freshness bands with at most this interval go into the fresh lane.
const FRESH_LANE_MAX_DAYS: i32 = 7;

/// What a scan may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanOrder {
    /// At most this many movies are queued.
    pub limit: i32,
    /// False: their events are left to the ticks of `refresh_worker`.
    pub release: bool,
}

/// What a scan would do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPreview {
    pub movies: i64,
    /// The titles of the first ones.
    pub titles: Vec<String>,
}

impl Store {
    /// Queues due movies, with their events and the run's items, in one transaction. Returns how
    /// many.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn scan(
        &self,
        message: &MessageRef,
        run: &RunId,
        order: ScanOrder,
    ) -> Result<i64, StoreError> {
        self.apply_work_edits().await?;
        self.while_seen_at_work(async {
            let mut tx = self.pool.begin().await?;
            if !claim_one(&mut tx, message).await? {
                return Ok(0);
            }
            let mut queued = 0;
            if items::is_open(&mut tx, run).await? {
                queued = queue_due(&mut tx, run, order).await?;
            }
            tx.commit().await?;
            Ok(queued)
        })
        .await
    }

    /// What a scan would do now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn would_scan(&self, limit: i64, sample: i64) -> Result<ScanPreview, StoreError> {
        let preview = sqlx::query_as!(
            ScanPreview,
            r#"
            with due as (
                select title, due_at
                from due_titles($1)
            )
            select
                (select count(*) from due) as "movies!",
                array(
                    select coalesce(title, '?')
                    from due
                    order by due_at
                    limit $2
                ) as "titles!: Vec<String>"
            "#,
            i32::try_from(limit).unwrap_or(i32::MAX),
            sample
        );
        Ok(preview.fetch_one(&self.pool).await?)
    }
}

async fn queue_due(
    tx: &mut PgConnection,
    run: &RunId,
    order: ScanOrder,
) -> Result<i64, StoreError> {
    let rows = insert_rows(tx, run, order).await?;
    let queued = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    add_items(tx, run, &rows).await?;
    if order.release {
        stale_events::send_due(tx, &rows, Some(run)).await?;
    }
    sqlx::query!("select note_scan()::text").fetch_one(&mut *tx).await?;
    if queued == 0 {
        items::close(tx, run).await?;
    }
    Ok(queued)
}

/// The rows come without their run, which is the same for all of a million. Each date is compared
/// with the policy once; no date is as one that no calendar has.
async fn insert_rows(
    tx: &mut PgConnection,
    run: &RunId,
    order: ScanOrder,
) -> Result<Vec<QueueRow>, StoreError> {
    let rows = sqlx::query_as!(
        QueueRow,
        r#"
        with due as materialized (
            select work_id, tmdb_id, release_date, due_at
            from due_titles($1)
        ),
        ages as (
            select release_date, staleness_days(release_date) <= $4 as is_fresh
            from (select distinct coalesce(release_date, 'infinity') as release_date from due) d
        )
        insert into refresh_item (
            work_id, tmdb_id, status, priority, queued_at, lane, reason, run_id, released_at
        )
        select
            s.work_id,
            s.tmdb_id,
            'queued',
            case when f.is_fresh then $5::int else $7::int end,
            now(),
            case when f.is_fresh then $6 else $8 end,
            'due',
            $2,
            case when $3 then now() end
        from due s
        join ages f on f.release_date = coalesce(s.release_date, 'infinity')
        order by s.due_at
        on conflict do nothing
        returning
            id,
            work_id as "work_id!",
            tmdb_id as "tmdb_id!",
            lane,
            reason,
            null::text as run_id
        "#,
        order.limit,
        run.as_str(),
        order.release,
        FRESH_LANE_MAX_DAYS,
        Lane::Fresh.priority(),
        Lane::Fresh.as_str(),
        Lane::Bulk.priority(),
        Lane::Bulk.as_str()
    );
    Ok(rows.fetch_all(tx).await?)
}

async fn add_items(
    tx: &mut PgConnection,
    run: &RunId,
    rows: &[QueueRow],
) -> Result<(), StoreError> {
    let movies: Vec<i64> = rows.iter().map(|row| row.tmdb_id).collect();
    sqlx::query!(
        "
        insert into job_run_item (run_id, tmdb_id)
        select $1, t
        from unnest($2::bigint[]) as t
        on conflict do nothing
        ",
        run.as_str(),
        &movies
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "
        update job_run
        set checked = $2, pending = $2, touched_at = now()
        where run_id = $1
        ",
        run.as_str(),
        i64::try_from(movies.len()).unwrap_or(i64::MAX)
    )
    .execute(tx)
    .await?;
    Ok(())
}
