//! Runs of jobs and lists (`job_run`, `job_run_item`, `scheduled_ingestion_log`): counted item by
//! item, closed by the last one.
//!
//! `job_run.pending` goes down in the transaction that settles an item; its row lock puts the last
//! items in a row, so exactly one transaction sees zero and closes the run, writes the log row and
//! the `movies.run` event with it.

use delivery::MessageRef;
use proto::{Action, IngestMovie, JobName, ListSource, RunId, Tick, TmdbId, TriggerType};
use sqlx::PgConnection;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    Store, StoreError, ledger,
    outbox::{self, Entry, entry},
    within::{SHORT, within},
};

/// Which run a message begins.
#[derive(Debug, Clone)]
pub struct RunRef {
    /// `<job>@<nominal time>`, or derived from the message.
    pub run_id: RunId,
    /// Job, or `manual`.
    pub job: JobName,
    /// What it does.
    pub action: Action,
    /// What made it begin.
    pub trigger_type: TriggerType,
    /// Nominal time, or when it was asked for.
    pub scheduled_for: OffsetDateTime,
}

/// What a list's pages held.
#[derive(Debug, Clone)]
pub struct FanOut {
    /// The list.
    pub source: ListSource,
    /// New titles, to be ingested.
    pub wanted: Vec<TmdbId>,
    /// Titles that the catalogue has.
    pub skipped: i64,
    /// Of these, the due ones: they are sent to refresh.
    pub due: Vec<TmdbId>,
    /// New titles beyond `max_movies`.
    pub not_needed: i64,
}

/// What a run is open for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its work may be done.
    Open,
    /// It was cancelled: nothing is to be done.
    Cancelled,
    /// It ended before; its id was used again.
    Over,
}

/// A run says how far it is at most this often.
const PROGRESS_EVERY: &str = "5 seconds";

/// How an item ended.
pub(crate) struct Settled {
    pub run_id: String,
    pub tmdb_id: i64,
    pub state: &'static str,
    pub title: Option<String>,
    pub error: Option<String>,
}

impl From<&Tick> for RunRef {
    fn from(tick: &Tick) -> Self {
        Self {
            run_id: tick.run_id.clone(),
            job: tick.job.clone(),
            action: tick.action,
            trigger_type: tick.trigger_type,
            scheduled_for: tick.scheduled_for,
        }
    }
}

impl Store {
    /// Notes that a run's work begins, unless it is over. Repeating is harmless.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn start_run(
        &self,
        run: &RunRef,
        payload: &serde_json::Value,
        now: OffsetDateTime,
    ) -> Result<Standing, StoreError> {
        within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            let started = sqlx::query!(
                "insert into job_run (run_id, job, action, scheduled_for, fired_at, trigger_type, payload, status, started_at)
             values ($1, $2, $3, $4, $5, $6, $7, 'running', $5)
             on conflict (run_id) do update set status = 'running', started_at = coalesce(job_run.started_at, excluded.started_at), touched_at = now()
             where job_run.status = 'queued'",
                run.run_id.as_str(),
                run.job.as_str(),
                run.action.as_str(),
                run.scheduled_for,
                now,
                run.trigger_type.as_str(),
                payload
            )
            .execute(&mut *tx)
            .await?;
            if started.rows_affected() == 1 {
                event(&mut tx, &run.run_id, "started", None).await?;
                tx.commit().await?;
                return Ok(Standing::Open);
            }
            let status = sqlx::query_scalar!("select status from job_run where run_id = $1", run.run_id.as_str()).fetch_one(&mut *tx).await?;
            Ok(match status.as_str() {
                "running" | "queued" | "waiting" => Standing::Open,
                "cancelled" => Standing::Cancelled,
                _ => Standing::Over,
            })
        })
        .await
    }

    /// Whether a run of this id is a job's and is still to come: `<job>@<nominal time>`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_kept_for_a_job(&self, run_id: &str) -> Result<bool, StoreError> {
        let Some((job, at)) = run_id.split_once('@') else { return Ok(false) };
        if OffsetDateTime::parse(at, &Rfc3339).is_err() {
            return Ok(false);
        }
        let kept = sqlx::query_scalar!(
            r#"select exists (select 1 from job where name = $1) and not exists (select 1 from job_run where run_id = $2) as "kept!""#,
            job,
            run_id
        );
        within(SHORT, async { Ok(kept.fetch_one(&self.pool).await?) }).await
    }

    /// Writes what a list gave: the run's items, one `movies.ingest.movie` each, the due ones to
    /// refresh; closes the run if there is nothing to do. One transaction with the inbox row: a
    /// crash before it reads the list again, after it nothing.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn fan_out(
        &self,
        message: &MessageRef,
        run: &RunRef,
        list: &FanOut,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        self.while_seen_at_work(async {
            let mut tx = self.pool.begin().await?;
            if !ledger::claim_one(&mut tx, message).await? {
                return Ok(());
            }
            if !is_open(&mut tx, &run.run_id).await? || has_read(&mut tx, &run.run_id, list.source).await? {
                tx.commit().await?;
                return Ok(());
            }
            let ids: Vec<i64> = list.wanted.iter().map(|id| id.get()).collect();
            let pending = sqlx::query_scalar!(
                r#"with added as (
                insert into job_run_item (run_id, tmdb_id) select $1, t from unnest($2::bigint[]) as t on conflict do nothing returning 1),
            counted as (select count(*) as n from added)
            update job_run set checked = checked + n + $3 + $4, skipped = skipped + $3, not_needed = not_needed + $4, pending = pending + n,
                payload = payload || jsonb_build_object('source', $5::text), touched_at = now()
            from counted where run_id = $1 returning pending"#,
                run.run_id.as_str(),
                &ids,
                list.skipped,
                list.not_needed,
                list.source.as_str()
            )
            .fetch_one(&mut *tx)
            .await?;
            let entries: Vec<Entry> = list
                .wanted
                .iter()
                .map(|id| {
                    let event = IngestMovie { tmdb_id: *id, run_id: Some(run.run_id.clone()), force: false };
                    entry(&event, format!("{}:{id}", run.run_id), id.to_string(), &run.run_id, now)
                })
                .collect();
            outbox::enqueue(&mut tx, &entries).await?;
            crate::queue::enqueue_listed(&mut tx, &list.due, &run.run_id, now).await?;
            if pending == 0 {
                close(&mut tx, &run.run_id, now).await?;
            }
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// The runs that were cancelled lately: what still asks TMDB for them is turned away.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cancelled_runs(&self) -> Result<Vec<String>, StoreError> {
        // As long as any stream of work may hold a message of theirs.
        let runs = sqlx::query_scalar!(
            "select run_id from job_run where status = 'cancelled' and ended_at > now() - interval '14 days'"
        );
        within(SHORT, async { Ok(runs.fetch_all(&self.pool).await?) }).await
    }
}

/// Locks the run: whoever cancels or closes it waits.
pub(crate) async fn is_open(tx: &mut PgConnection, run_id: &str) -> Result<bool, StoreError> {
    let open = sqlx::query!(
        "select run_id from job_run where run_id = $1 and ended_at is null for update",
        run_id
    );
    Ok(open.fetch_optional(&mut *tx).await?.is_some())
}

/// Whether the run has read this list before: it was sent again while the first message was in
/// hand.
async fn has_read(
    tx: &mut PgConnection,
    run_id: &str,
    source: ListSource,
) -> Result<bool, StoreError> {
    let read = sqlx::query!(
        "select run_id from job_run where run_id = $1 and checked > 0 and payload ->> 'source' = $2",
        run_id,
        source.as_str()
    );
    Ok(read.fetch_optional(&mut *tx).await?.is_some())
}

/// `movies.run.<job>`.
async fn event(
    tx: &mut PgConnection,
    run_id: &str,
    status: &str,
    error: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query!("select run_event($1, $2, $3)::text", run_id, status, error)
        .fetch_one(&mut *tx)
        .await?;
    Ok(())
}

/// Settles items, counts them, and closes the runs whose last item this was.
pub(crate) async fn settle(
    tx: &mut PgConnection,
    items: &[Settled],
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    if items.is_empty() {
        return Ok(());
    }
    let runs: Vec<_> = items.iter().map(|i| i.run_id.clone()).collect();
    let ids: Vec<_> = items.iter().map(|i| i.tmdb_id).collect();
    let states: Vec<_> = items.iter().map(|i| i.state.to_owned()).collect();
    let titles: Vec<_> = items.iter().map(|i| i.title.clone()).collect();
    let errors: Vec<_> = items.iter().map(|i| i.error.clone()).collect();
    // In the order of their ids, as everybody does.
    sqlx::query!(
        "select run_id from job_run where run_id = any($1) order by run_id for update",
        &runs
    )
    .fetch_all(&mut *tx)
    .await?;
    let closing = sqlx::query!(
        r#"with settled as (
            update job_run_item i set state = t.state, title = coalesce(t.title, i.title), error = t.error
            from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[]) as t(run_id, tmdb_id, state, title, error)
            where i.run_id = t.run_id and i.tmdb_id = t.tmdb_id and i.state = 'pending'
            returning i.run_id, i.state),
        counts as (
            select run_id, count(*) as n, count(*) filter (where state = 'done') as done,
                count(*) filter (where state = 'skipped') as skipped, count(*) filter (where state = 'failed') as failed
            from settled group by run_id order by run_id)
        update job_run r set done = r.done + c.done, skipped = r.skipped + c.skipped, failed = r.failed + c.failed, pending = r.pending - c.n,
            touched_at = now(), progress_at = case when r.pending > c.n
                and coalesce(r.progress_at, r.started_at, r.fired_at) < $6::timestamptz - $7::text::interval then $6 else r.progress_at end
        from counts c where r.run_id = c.run_id
        returning r.run_id as "run_id!", r.pending as "pending!", coalesce(r.progress_at = $6, false) as "tells!""#,
        &runs,
        &ids,
        &states,
        &titles as &[Option<String>],
        &errors as &[Option<String>],
        now,
        PROGRESS_EVERY
    )
    .fetch_all(&mut *tx)
    .await?;
    for run in &closing {
        if run.pending <= 0 {
            close(tx, &run.run_id, now).await?;
        } else if run.tells {
            event(tx, &run.run_id, "progress", None).await?;
        }
    }
    Ok(())
}

/// Closes a run: status from its counts, one log row for lists, one event.
pub(crate) async fn close(
    tx: &mut PgConnection,
    run_id: &str,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    let closed = sqlx::query!(
        r#"update job_run set ended_at = $2, pending = 0, status = case
                when error is not null and done = 0 then 'failed'
                when failed > 0 and done = 0 and skipped = 0 then 'failed'
                when failed > 0 or error is not null then 'partial' else 'succeeded' end,
            error = coalesce(error, case when failed > 0 then failed || ' of ' || (failed + done) || ' movies failed' end)
        where run_id = $1 and ended_at is null
        returning job, action, status, error"#,
        run_id,
        now
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(run) = closed else { return Ok(()) };
    if run.status == "failed" {
        pause_after_failures(tx, &run.job).await?;
    }
    if run.status == "succeeded" {
        sqlx::query!(
            "update job set overdue_since = null where name = $1 and overdue_since is not null",
            run.job
        )
        .execute(&mut *tx)
        .await?;
    }
    if run.action == Action::Ingest.as_str() {
        log_ingestion(tx, run_id, now).await?;
    }
    // The next one may wait for this one's end.
    sqlx::query!(
        "select pg_notify('mangoes_jobs', job)::text from job_run where job = $1 and status = 'waiting' limit 1",
        run.job
    )
    .fetch_optional(&mut *tx)
    .await?;
    event(tx, run_id, &run.status, run.error.as_deref()).await
}

/// A job that failed so often in a row as it says pauses itself, with a note.
async fn pause_after_failures(tx: &mut PgConnection, job: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "update job j set enabled = false, paused_by = 'mangoes', note = format('paused itself after %s failed runs in a row', pause_after_failures)
         where name = $1 and enabled and pause_after_failures is not null and pause_after_failures = (
            select count(*) filter (where status in ('failed', 'lost')) from (
                select status from job_run where job = j.name and ended_at is not null and status <> 'skipped' order by fired_at desc
                limit j.pause_after_failures) last)",
        job
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

async fn log_ingestion(
    tx: &mut PgConnection,
    run_id: &str,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into scheduled_ingestion_log (source, movies_checked, movies_skipped, movies_ingested, movies_failed, movies_not_needed,
            ingested_titles, failed_titles, duration_ms, trigger_type, created_at, run_id, error)
         select coalesce(r.payload ->> 'source', r.job), r.checked, r.skipped, r.done, r.failed, r.not_needed,
            coalesce((select array_agg(coalesce(i.title, i.tmdb_id::text) order by i.title) from job_run_item i where i.run_id = r.run_id and i.state = 'done'), '{}'),
            coalesce((select array_agg(coalesce(i.title, 'TMDB ' || i.tmdb_id) order by i.tmdb_id) from job_run_item i where i.run_id = r.run_id and i.state = 'failed'), '{}'),
            (extract(epoch from $2 - coalesce(r.started_at, r.fired_at)) * 1000)::bigint, r.trigger_type, $2, r.run_id, r.error
         from job_run r where r.run_id = $1
         on conflict do nothing",
        run_id,
        now
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
