//! The refresh queue: `queued -> processing -> completed | failed`, at most one open row per movie.

use std::collections::{BTreeSet, HashMap};

use delivery::MessageRef;
use proto::{Lane, MovieStale, RunId, TmdbId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    Store, StoreError, ledger,
    outbox::{self, Entry, entry},
    runs::{self, RunRef, Settled},
    within::{SHORT, within},
};

/// A movie whose refresh failed is left alone by scans for this many hours times two to the
/// failures, at most a day.
const HOLD_AFTER_FAILURE_HOURS: i32 = 1;
/// How long a row may be `processing` before the sweep takes it for lost. Longer than any work that
/// is in hand waits at the gate.
const LEASE: &str = "1 minute";
/// How long a released row may stay `queued` before the sweep publishes it again.
const RELEASE_AGAIN_AFTER: &str = "10 minutes";
/// Events that are made between two statements: a transaction must not stand idle while a million
/// are.
const ENTRIES_AT_ONCE: usize = 5_000;
/// Bands with at most this interval go into the fresh lane.
const FRESH_LANE_MAX_DAYS: i32 = 7;

/// Whether a refresh begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// Its row is `processing`.
    Begun,
    /// The row that the message was sent for is not open any more: another message has done it.
    Over,
    /// The catalogue has no such movie.
    Unknown,
}

/// What a scan found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// Movies queued.
    pub queued: i64,
}

struct Queued {
    id: i64,
    work_id: i64,
    tmdb_id: i64,
    lane: String,
}

impl Store {
    /// Queues up to `limit` due movies, the longest due first, with their events and the run's
    /// items, in one transaction. `release` = false leaves the events to the ticks of
    /// `refresh_worker`.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn scan(
        &self,
        message: &MessageRef,
        run: &RunRef,
        (limit, release): (i32, bool),
        now: OffsetDateTime,
    ) -> Result<Scan, StoreError> {
        self.while_seen_at_work(async {
            let mut tx = self.pool.begin().await?;
            if !ledger::claim_one(&mut tx, message).await? {
                return Ok(Scan { queued: 0 });
            }
            if !runs::is_open(&mut tx, &run.run_id).await? {
                tx.commit().await?;
                return Ok(Scan { queued: 0 });
            }
            let rows = sqlx::query_as!(
                Queued,
                r#"insert into refresh_queue (work_id, tmdb_id, status, priority, queued_at, lane, reason, run_id, released_at)
            select s.work_id, s.tmdb_id::bigint, 'queued', case when f.fresh then 50 else 10 end, $3,
                case when f.fresh then 'fresh' else 'bulk' end, 'due', $2, case when $4 then $3 end
            from get_stale_movies($1) s, lateral (select calculate_staleness_days(s.release_date, $3) <= $5 as fresh) f
            order by s.due_at
            on conflict do nothing
            returning id, work_id as "work_id!", tmdb_id as "tmdb_id!", lane"#,
                limit,
                run.run_id.as_str(),
                now,
                release,
                FRESH_LANE_MAX_DAYS
            )
            .fetch_all(&mut *tx)
            .await?;
            let ids: Vec<i64> = rows.iter().map(|r| r.tmdb_id).collect();
            let queued = i64::try_from(ids.len()).unwrap_or(i64::MAX);
            sqlx::query!(
                "insert into job_run_item (run_id, tmdb_id) select $1, t from unnest($2::bigint[]) as t on conflict do nothing",
                run.run_id.as_str(),
                &ids
            )
            .execute(&mut *tx)
            .await?;
            sqlx::query!(
                "update job_run set checked = $2, pending = $2, touched_at = now() where run_id = $1",
                run.run_id.as_str(),
                queued
            )
            .execute(&mut *tx)
            .await?;
            for some in rows.chunks(ENTRIES_AT_ONCE).filter(|_| release) {
                outbox::enqueue(&mut tx, &stale_entries(some, "due", Some(&run.run_id), now)).await?;
            }
            sqlx::query!("update sync_state set last_sync_at = $1, updated_at = $1 where sync_type = 'daily_refresh_stale'", now)
                .execute(&mut *tx)
                .await?;
            if queued == 0 {
                runs::close(&mut tx, &run.run_id, now).await?;
            }
            tx.commit().await?;
            Ok(Scan { queued })
        })
        .await
    }

    /// Repairs and releases: rows whose worker is gone are queued again, and up to `limit` rows
    /// that nobody works on are published.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn release(
        &self,
        message: &MessageRef,
        run_id: &str,
        limit: i64,
        now: OffsetDateTime,
    ) -> Result<i64, StoreError> {
        self.while_seen_at_work(async {
            let mut tx = self.pool.begin().await?;
            if !ledger::claim_one(&mut tx, message).await? {
                return Ok(0);
            }
            if !runtime::trial::without("reaper") {
                sqlx::query!(
                    "update refresh_queue set status = 'queued', lease_until = null, released_at = null, retry_count = retry_count + 1,
                 last_error = 'its worker vanished' where status = 'processing' and (lease_until is null or lease_until < $1)",
                    now
                )
                .execute(&mut *tx)
                .await?;
            }
            give_up_strangers(&mut tx, now).await?;
            let rows = sqlx::query_as!(
                Queued,
                r#"update refresh_queue q set released_at = $2::timestamptz, tmdb_id = w.tmdb_id::bigint from works w
            where w.work_id = q.work_id and q.id in (
                select id from refresh_queue where status = 'queued' and (released_at is null or released_at < $2::timestamptz - $3::text::interval)
                order by (released_at is not null), priority desc, queued_at limit $1 for update skip locked)
            returning q.id, q.work_id as "work_id!", q.tmdb_id as "tmdb_id!", q.lane"#,
                limit,
                now,
                RELEASE_AGAIN_AFTER
            )
            .fetch_all(&mut *tx)
            .await?;
            send_released(&mut tx, &rows, now).await?;
            let released = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            sqlx::query!("update job_run set checked = $2, done = $2 where run_id = $1", run_id, released).execute(&mut *tx).await?;
            runs::close(&mut tx, run_id, now).await?;
            tx.commit().await?;
            Ok(released)
        })
        .await
    }

    /// Notes that a movie's refresh begins: its open row becomes `processing`, or a new row does.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_refresh(
        &self,
        event: &MovieStale,
        now: OffsetDateTime,
    ) -> Result<Beginning, StoreError> {
        within(SHORT, async {
            let row = sqlx::query!(
                r#"with work as (select work_id from works where tmdb_id = $1::text),
            begun as (
                insert into refresh_queue (work_id, tmdb_id, status, priority, queued_at, lane, reason, run_id, released_at, lease_until)
                select work_id, $2, 'processing', $3, $4::timestamptz, $5, $6, $7, $4::timestamptz, $4::timestamptz + $8::text::interval from work
                where $9::bigint is null or exists (select 1 from refresh_queue o where o.id = $9 and o.status in ('queued', 'processing'))
                on conflict (work_id) where status in ('queued', 'processing')
                do update set status = 'processing', lease_until = excluded.lease_until, released_at = excluded.released_at
                returning 1)
            select exists (select 1 from begun) as "begun!" from work"#,
                event.tmdb_id.to_string(),
                event.tmdb_id.get(),
                event.lane.priority(),
                now,
                event.lane.as_str(),
                event.reason,
                event.run_id.as_deref(),
                LEASE,
                event.queue_id
            )
            .fetch_optional(&self.pool)
            .await?;
            Ok(row.map_or(Beginning::Unknown, |r| if r.begun { Beginning::Begun } else { Beginning::Over }))
        })
        .await
    }

    /// Puts a row back to `queued` with what went wrong; the message itself comes again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn requeue(
        &self,
        tmdb_id: TmdbId,
        error: &str,
        counts: bool,
    ) -> Result<(), StoreError> {
        within(SHORT, async {
            sqlx::query!(
            "update refresh_queue q set status = 'queued', lease_until = null, last_error = $2, retry_count = retry_count + $3
             from works w where w.tmdb_id = $1 and q.work_id = w.work_id and q.status = 'processing'",
            tmdb_id.to_string(),
            error,
            i32::from(counts)
        )
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }

    /// Ends a row whose run was cancelled while it was in hand.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cancelled_in_hand(&self, tmdb_id: TmdbId, run_id: &str) -> Result<(), StoreError> {
        within(SHORT, async {
            sqlx::query!(
                "update refresh_queue q set status = 'failed', processed_at = now(), lease_until = null, last_error = 'its run was cancelled'
             from works w where w.tmdb_id = $1 and q.work_id = w.work_id and q.status in ('queued', 'processing') and q.run_id = $2",
                tmdb_id.to_string(),
                run_id
            )
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }
}

/// Rows of movies that are not in the catalogue, or that TMDB cannot know by their id, end: at the
/// head of the queue they would stop everybody. An adopted database may hold some.
async fn give_up_strangers(tx: &mut PgConnection, now: OffsetDateTime) -> Result<(), StoreError> {
    const WHY: &str = "the catalogue has no such movie, or its id is none of TMDB's";
    let rows = sqlx::query!(
        "update refresh_queue q set status = 'failed', processed_at = $1, lease_until = null, last_error = $2
         where status in ('queued', 'processing') and not exists (select 1 from works w where w.work_id = q.work_id
            and case when w.tmdb_id ~ '^[1-9][0-9]{0,9}$' then w.tmdb_id::bigint <= 2147483647 else false end)
         returning q.run_id, q.tmdb_id",
        now,
        WHY
    )
    .fetch_all(&mut *tx)
    .await?;
    let item = |(run_id, tmdb_id)| Settled {
        run_id,
        tmdb_id,
        state: "failed",
        title: None,
        error: Some(WHY.to_owned()),
    };
    let items: Vec<Settled> =
        rows.into_iter().filter_map(|r| Some(item((r.run_id?, r.tmdb_id?)))).collect();
    runs::settle(tx, &items, now).await
}

/// The movie's open queue row ends, as failed where there is an error, and so do the items that
/// wait for it: of the row's run and of the message's.
pub(crate) async fn end(
    tx: &mut PgConnection,
    (tmdb_id, run_id): (TmdbId, Option<&str>),
    (title, error): (Option<String>, Option<&str>),
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let queued = sqlx::query_scalar!(
        "update refresh_queue q set status = case when $3::text is null then 'completed' else 'failed' end, processed_at = $2, lease_until = null, last_error = $3
         from works w where w.tmdb_id = $1 and q.work_id = w.work_id and q.status in ('queued', 'processing') returning q.run_id",
        tmdb_id.to_string(),
        now,
        error
    )
    .fetch_all(&mut *tx)
    .await?;
    let runs: BTreeSet<String> =
        queued.into_iter().flatten().chain(run_id.map(ToOwned::to_owned)).collect();
    let items: Vec<Settled> = runs
        .into_iter()
        .map(|run_id| Settled {
            run_id,
            tmdb_id: tmdb_id.get(),
            state: if error.is_some() { "failed" } else { "done" },
            title: title.clone(),
            error: error.map(ToOwned::to_owned),
        })
        .collect();
    runs::settle(tx, &items, now).await
}

/// A refresh is given up, and scans leave the movie alone for a while so that it blocks nobody.
pub(crate) async fn fail(
    tx: &mut PgConnection,
    (tmdb_id, run_id): (TmdbId, Option<&str>),
    error: &str,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    // Works first, as the writer does: two transactions never wait for each other in a circle.
    sqlx::query!(
        "update works set failures = failures + 1, hold_until = $2::timestamptz + make_interval(hours => least(24, $3 * (2 ^ least(failures, 5))::int))
         where tmdb_id = $1",
        tmdb_id.to_string(),
        now,
        HOLD_AFTER_FAILURE_HOURS
    )
    .execute(&mut *tx)
    .await?;
    end(tx, (tmdb_id, run_id), (None, Some(error)), now).await
}

/// Titles of a list that the catalogue has and that are due: queued in the fresh lane, in the
/// list's transaction.
pub(crate) async fn enqueue_listed(
    tx: &mut PgConnection,
    due: &[TmdbId],
    run_id: &str,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let ids: Vec<String> = due.iter().map(ToString::to_string).collect();
    let rows = sqlx::query_as!(
        Queued,
        r#"insert into refresh_queue (work_id, tmdb_id, status, priority, queued_at, lane, reason, released_at)
        select work_id, tmdb_id::bigint, 'queued', 50, $2, 'fresh', 'listed', $2 from works where tmdb_id = any($1)
        on conflict do nothing
        returning id, work_id as "work_id!", tmdb_id as "tmdb_id!", lane"#,
        &ids,
        now
    )
    .fetch_all(&mut *tx)
    .await?;
    let entries = stale_entries(&rows, "listed", None, now);
    tracing::debug!(run = run_id, queued = rows.len(), "listed titles that are due were queued");
    outbox::enqueue(tx, &entries).await
}

fn stale_entries(
    rows: &[Queued],
    reason: &str,
    run_id: Option<&RunId>,
    now: OffsetDateTime,
) -> Vec<Entry> {
    rows.iter()
        .filter_map(|row| {
            let event = MovieStale {
                tmdb_id: TmdbId::try_from(row.tmdb_id).ok()?,
                work_id: Some(row.work_id),
                reason: reason.to_owned(),
                queued_at: Some(now),
                queue_id: Some(row.id),
                run_id: run_id.cloned(),
                lane: Lane::ALL.into_iter().find(|l| l.as_str() == row.lane).unwrap_or(Lane::Bulk),
            };
            // The row is the cause: published again it is a new try of the same row, at a new time.
            let id = format!("stale:{}:{}", row.id, now.unix_timestamp());
            Some(entry(
                &event,
                id,
                row.tmdb_id.to_string(),
                run_id.map_or(reason, RunId::as_str),
                now,
            ))
        })
        .collect()
}

/// What a person sent lay in the stream alone, which is lost; the queue row remembers it once its
/// work began. Who has it in hand still may do it twice.
pub(crate) async fn send_again(tx: &mut PgConnection) -> Result<(), StoreError> {
    let now =
        sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(&mut *tx).await?;
    let rows = sqlx::query_as!(
        Queued,
        r#"update refresh_queue q set status = 'queued', lease_until = null, released_at = $1, tmdb_id = w.tmdb_id::bigint from works w
        where w.work_id = q.work_id and q.status in ('queued', 'processing') and q.lane = 'now'
        returning q.id, q.work_id as "work_id!", q.tmdb_id as "tmdb_id!", q.lane"#,
        now
    )
    .fetch_all(&mut *tx)
    .await?;
    send_released(tx, &rows, now).await
}

/// Released rows belong to different runs: each event names its own.
async fn send_released(
    tx: &mut PgConnection,
    rows: &[Queued],
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let ids: Vec<i64> = rows.iter().map(|r| r.id).collect();
    let runs = sqlx::query!("select id, run_id from refresh_queue where id = any($1)", &ids)
        .fetch_all(&mut *tx)
        .await?;
    let runs: HashMap<i64, Option<RunId>> = runs
        .into_iter()
        .map(|r| (r.id, r.run_id.and_then(|id| RunId::try_from(id).ok())))
        .collect();
    for some in rows.chunks(ENTRIES_AT_ONCE) {
        let run_of = |row: &Queued| runs.get(&row.id).and_then(Option::as_ref);
        let entries: Vec<Entry> = some
            .iter()
            .flat_map(|row| stale_entries(std::slice::from_ref(row), "due", run_of(row), now))
            .collect();
        outbox::enqueue(&mut *tx, &entries).await?;
    }
    Ok(())
}
