//! The reference's tables and what is asked of them.

use anyhow::Result;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

/// What workers listen to: there is a new job.
pub(crate) const CHANNEL: &str = "jobs";

/// A claimed job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub(crate) id: i64,
    pub(crate) movie: i64,
}

/// Makes the tables.
pub(crate) async fn create(pool: &PgPool) -> Result<()> {
    sqlx::raw_sql(
        "
        create table jobs (
            id bigint generated always as identity primary key,
            movie bigint not null,
            state text not null default 'queued'
                check (state in ('queued', 'running', 'done', 'failed')),
            attempts integer not null default 0,
            run_at timestamptz not null default now(),
            claimed_at timestamptz,
            ended_at timestamptz,
            error text
        );
        create index jobs_ready on jobs (run_at, id) where state = 'queued';
        create table movies (
            tmdb_id bigint primary key,
            title text not null,
            body jsonb not null,
            fetched_at timestamptz not null
        );
        create function notify_workers() returns trigger language plpgsql as $$
        begin
            notify jobs;
            return null;
        end $$;
        create trigger jobs_added after insert on jobs
            for each statement execute function notify_workers();
        ",
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Queues a job for each movie.
pub(crate) async fn add(connection: &mut PgConnection, movies: &[i64]) -> Result<()> {
    sqlx::query(
        "
        insert into jobs (movie)
        select unnest($1::bigint[])
        ",
    )
    .bind(movies)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether no job is queued or runs.
pub(crate) async fn is_empty(pool: &PgPool) -> Result<bool> {
    let open: bool = sqlx::query_scalar(
        "
        select exists (select 1 from jobs where state in ('queued', 'running'))
        ",
    )
    .fetch_one(pool)
    .await?;
    Ok(!open)
}

/// Takes up to so many jobs that are due; each counts as an attempt.
pub(crate) async fn claim(pool: &PgPool, limit: usize) -> Result<Vec<Job>> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "
        update jobs
        set state = 'running', attempts = attempts + 1, claimed_at = now()
        where id in (
            select id
            from jobs
            where state = 'queued' and run_at <= now()
            order by run_at, id
            limit $1
            for update skip locked
        )
        returning id, movie
        ",
    )
    .bind(i64::try_from(limit)?)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|(id, movie)| Job { id, movie }).collect())
}

/// Stores a movie and ends its job, in one transaction.
pub(crate) async fn complete(pool: &PgPool, job: Job, body: &Value) -> Result<()> {
    let title = body.get("title").and_then(Value::as_str).unwrap_or_default();
    let mut transaction = pool.begin().await?;
    sqlx::query(
        "
        insert into movies (tmdb_id, title, body, fetched_at)
        values ($1, $2, $3, now())
        on conflict (tmdb_id) do update
        set title = excluded.title, body = excluded.body, fetched_at = excluded.fetched_at
        ",
    )
    .bind(job.movie)
    .bind(title)
    .bind(body)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "
        update jobs
        set state = 'done', ended_at = now()
        where id = $1
        ",
    )
    .bind(job.id)
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}

/// Queues a job again, later each time, or gives it up after the fourth attempt.
pub(crate) async fn fail(pool: &PgPool, job: Job, error: &str) -> Result<()> {
    sqlx::query(
        "
        update jobs
        set state = case when attempts < 4 then 'queued' else 'failed' end,
            run_at = now() + interval '1 second' * power(2, attempts),
            error = $2
        where id = $1
        ",
    )
    .bind(job.id)
    .bind(error)
    .execute(pool)
    .await?;
    Ok(())
}
