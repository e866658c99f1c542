//! Items of runs (`job_run_item`): settled one by one; the last one closes the run.
//!
//! `job_run.pending` goes down in the transaction that settles an item. Its row lock puts the last
//! items in a row, so exactly one transaction sees zero: it closes the run, and writes the row of
//! `scheduled_ingestion_log` and the `movies.run` event with it.

use delivery::MessageRef;
use proto::{Action, RunId, RunState, TmdbId};
use sqlx::PgConnection;

use crate::{
    Store, StoreError,
    db::{
        deadline::{SHORT, within},
        row::Row,
    },
    delivery::attempts::claim_one,
};

/// A run announces its progress at most this often.
const PROGRESS_EVERY_SECS: f64 = 5.0;

/// How an item ended.
#[derive(Clone, Copy)]
pub(crate) enum ItemState {
    Done,
    Skipped,
    Failed,
}

impl ItemState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// An item that is to be settled.
pub(crate) struct SettledItem {
    pub(crate) run_id: String,
    /// As the table has it.
    pub(crate) tmdb_id: i64,
    pub(crate) state: ItemState,
    pub(crate) title: Option<String>,
    pub(crate) error: Option<String>,
}

impl Store {
    /// Ends a message without an effect: its inbox row, and its run's item as skipped.
    ///
    /// # Errors
    /// When the database does not answer; nothing is written then.
    pub async fn skip_item(
        &self,
        message: &MessageRef,
        run: Option<&RunId>,
        movie: TmdbId,
    ) -> Result<(), StoreError> {
        within(SHORT, async {
            let mut tx = self.pool.begin().await?;
            if claim_one(&mut tx, message).await?
                && let Some(run) = run
            {
                let skipped = SettledItem {
                    run_id: run.to_string(),
                    tmdb_id: movie.get(),
                    state: ItemState::Skipped,
                    title: None,
                    error: None,
                };
                settle(&mut tx, &[skipped]).await?;
            }
            tx.commit().await?;
            Ok(())
        })
        .await
    }
}

/// Whether a run is open. Locks it: whoever cancels or closes it waits.
pub(crate) async fn is_open(tx: &mut PgConnection, run_id: &str) -> Result<bool, StoreError> {
    let open = sqlx::query_scalar!(
        "
        select run_id
        from job_run
        where run_id = $1 and ended_at is null
        for update
        ",
        run_id
    );
    Ok(open.fetch_optional(tx).await?.is_some())
}

/// Writes `movies.run.<job>`.
pub(crate) async fn announce(
    tx: &mut PgConnection,
    run_id: &str,
    status: &str,
    error: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query!("select run_event($1, $2, $3)::text", run_id, status, error).fetch_one(tx).await?;
    Ok(())
}

/// Settles items, counts them, and closes the runs whose last item this was.
pub(crate) async fn settle(tx: &mut PgConnection, items: &[SettledItem]) -> Result<(), StoreError> {
    if items.is_empty() {
        return Ok(());
    }
    for run in count(tx, items).await? {
        if run.pending <= 0 {
            close(tx, &run.run_id).await?;
        } else if run.announces {
            announce(tx, &run.run_id, "progress", None).await?;
        }
    }
    Ok(())
}

/// A run after some of its items were settled.
struct CountedRun {
    run_id: String,
    pending: i64,
    /// Its last progress was announced long enough ago.
    announces: bool,
}

async fn count(
    tx: &mut PgConnection,
    items: &[SettledItem],
) -> Result<Vec<CountedRun>, StoreError> {
    let runs: Vec<_> = items.iter().map(|i| i.run_id.clone()).collect();
    let movies: Vec<_> = items.iter().map(|i| i.tmdb_id).collect();
    let states: Vec<_> = items.iter().map(|i| i.state.as_str().to_owned()).collect();
    let titles: Vec<_> = items.iter().map(|i| i.title.clone()).collect();
    let errors: Vec<_> = items.iter().map(|i| i.error.clone()).collect();
    // Everybody locks runs in the order of their ids, so that nobody locks another out.
    sqlx::query!(
        "
        select run_id
        from job_run
        where run_id = any ($1)
        order by run_id
        for update
        ",
        &runs
    )
    .fetch_all(&mut *tx)
    .await?;
    let counted = sqlx::query_as!(
        CountedRun,
        r#"
        with settled as (
            update job_run_item i
            set state = t.state, title = coalesce(t.title, i.title), error = t.error
            from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[])
                as t (run_id, tmdb_id, state, title, error)
            where i.run_id = t.run_id and i.tmdb_id = t.tmdb_id and i.state = 'pending'
            returning i.run_id, i.state
        ),
        counts as (
            select
                run_id,
                count(*) as n,
                count(*) filter (where state = 'done') as done,
                count(*) filter (where state = 'skipped') as skipped,
                count(*) filter (where state = 'failed') as failed
            from settled
            group by run_id
            order by run_id
        )
        update job_run r
        set done = r.done + c.done,
            skipped = r.skipped + c.skipped,
            failed = r.failed + c.failed,
            pending = r.pending - c.n,
            touched_at = now(),
            progress_at = case
                when r.pending > c.n
                    and coalesce(r.progress_at, r.started_at, r.fired_at)
                        < now() - make_interval(secs => $6)
                then now()
                else r.progress_at
            end
        from counts c
        where r.run_id = c.run_id
        returning
            r.run_id as "run_id!",
            r.pending as "pending!",
            coalesce(r.progress_at = now(), false) as "announces!"
        "#,
        &runs,
        &movies,
        &states,
        &titles as &[Option<String>],
        &errors as &[Option<String>],
        PROGRESS_EVERY_SECS
    );
    Ok(counted.fetch_all(tx).await?)
}

/// Ends a run whose message was given up before the run had items.
pub(crate) async fn fail_run(
    tx: &mut PgConnection,
    run_id: &str,
    error: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "
        update job_run
        set error = $2
        where run_id = $1 and ended_at is null
        ",
        run_id,
        error
    )
    .execute(&mut *tx)
    .await?;
    close(tx, run_id).await
}

/// Closes a run whose work is one count and no items, such as the rows that were removed.
pub(crate) async fn close_with(
    tx: &mut PgConnection,
    run_id: &str,
    done: i64,
) -> Result<(), StoreError> {
    close_counted(tx, run_id, Counted { checked: done, skipped: 0, done }).await
}

/// What a run without items has done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) checked: i64,
    pub(crate) skipped: i64,
    pub(crate) done: i64,
}

/// Closes a run without items.
pub(crate) async fn close_counted(
    tx: &mut PgConnection,
    run_id: &str,
    counted: Counted,
) -> Result<(), StoreError> {
    sqlx::query!(
        "
        update job_run
        set checked = $2, skipped = $3, done = $4
        where run_id = $1
        ",
        run_id,
        counted.checked,
        counted.skipped,
        counted.done
    )
    .execute(&mut *tx)
    .await?;
    close(tx, run_id).await
}

/// Closes a run: its status from its counts, one log row for lists, one event.
pub(crate) async fn close(tx: &mut PgConnection, run_id: &str) -> Result<(), StoreError> {
    let closed = sqlx::query!(
        r#"
        update job_run
        set ended_at = now(),
            pending = 0,
            status = case
                when error is not null and done = 0 then 'failed'
                when failed > 0 and done = 0 and skipped = 0 then 'failed'
                when failed > 0 or error is not null then 'partial'
                else 'succeeded'
            end,
            error = coalesce(
                error,
                case
                    when failed > 0
                    then failed || ' of ' || (failed + done) || ' movies failed'
                end
            )
        where run_id = $1 and ended_at is null
        returning job, action, status, error
        "#,
        run_id
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(run) = closed else { return Ok(()) };
    let row = Row::of("job_run", &run_id);
    let state: RunState = row.read("status", &run.status)?;
    if state == RunState::Failed {
        pause_after_failures(tx, &run.job).await?;
    }
    if state == RunState::Succeeded {
        end_overdue(tx, &run.job).await?;
    }
    if row.read::<Action>("action", &run.action)? == Action::Ingest {
        log_ingestion(tx, run_id).await?;
    }
    wake_waiting(tx, &run.job).await?;
    announce(tx, run_id, state.as_str(), run.error.as_deref()).await
}

/// A job pauses itself after as many failed runs in a row as it allows.
async fn pause_after_failures(tx: &mut PgConnection, job: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "
        update job j
        set enabled = false,
            paused_by = 'mangoes',
            note = format('paused itself after %s failed runs in a row', pause_after_failures)
        where name = $1
            and enabled
            and pause_after_failures is not null
            and pause_after_failures = (
                select count(*) filter (where status in ('failed', 'lost'))
                from (
                    select status
                    from job_run
                    where job = j.name and ended_at is not null and status <> 'skipped'
                    order by fired_at desc
                    limit j.pause_after_failures
                ) last
            )
        ",
        job
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn end_overdue(tx: &mut PgConnection, job: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "
        update job
        set overdue_since = null
        where name = $1 and overdue_since is not null
        ",
        job
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The next run of the job may wait for the end of this one.
async fn wake_waiting(tx: &mut PgConnection, job: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "
        select pg_notify('mangoes_jobs', job)::text
        from job_run
        where job = $1 and status = 'waiting'
        limit 1
        ",
        job
    )
    .fetch_optional(tx)
    .await?;
    Ok(())
}

async fn log_ingestion(tx: &mut PgConnection, run_id: &str) -> Result<(), StoreError> {
    sqlx::query!("select log_ingestion($1)::text", run_id).fetch_one(tx).await?;
    Ok(())
}
