//! What is done to a database on purpose: locks, a clock that runs fast, rows of long ago.

use std::time::Duration;

use crate::database::Database;

/// A table that nobody else can read, until it is released.
#[derive(Debug)]
pub struct Lock(sqlx::Transaction<'static, sqlx::Postgres>);

impl Lock {
    /// Lets the others go on.
    pub async fn release(self) {
        self.0.rollback().await.unwrap();
    }

    /// Lets them go on after this time.
    pub async fn release_after(self, span: Duration) {
        // The time is the fault: others wait so long.
        tokio::time::sleep(span).await;
        self.release().await;
    }
}

impl Database {
    /// Locks the table against reading.
    pub async fn lock(&self, table: &str) -> Lock {
        self.hold(&format!("lock table {table} in access exclusive mode")).await
    }

    /// Somebody has done this, and their transaction is open.
    pub(super) async fn hold(&self, sql: &str) -> Lock {
        let mut transaction = self.pool.begin().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();
        Lock(transaction)
    }

    /// The database answers and takes nothing any more, or takes it again. All sessions end, for it
    /// holds for those that begin after it.
    pub async fn set_read_only(&self, read_only: bool) {
        self.execute(&format!(
            "begin read write;
             do $$ begin
                 execute format('alter database %I set default_transaction_read_only = {read_only}',
                     current_database());
             end $$;
             commit;
             select pg_terminate_backend(pid)
             from pg_stat_activity
             where usename = current_user
               and pid <> pg_backend_pid()"
        ))
        .await;
    }

    /// Time runs sixty times as fast for a program that is started with
    /// `MANGOES_CLOCK=fast`, and for the test's own sessions that begin from now on: a
    /// function `now` of the test stands before the server's, and the program takes its time from
    /// the database.
    pub async fn let_time_run_fast(&self) {
        self.execute(
            "create schema fast;
             create table fast.base as
             select pg_catalog.now() as at;
             create function fast.now() returns timestamptz language sql stable as
                 'select at + (pg_catalog.now() - at) * 60 from fast.base';
             do $$ begin
                 execute format(
                     'alter database %I set search_path = mangoes, public, fast, pg_catalog',
                     current_database()
                 );
             end $$",
        )
        .await;
    }

    /// Rows of long ago and young ones, in every table that `maintenance` looks after.
    pub async fn add_old_and_young_rows(&self) {
        self.execute(
            "do $$ begin
                 insert into tmdb_call (endpoint, method, created_at)
                 select '/old', 'GET', now() - make_interval(days => d)
                 from unnest(array[40, 50, 2]) d;
                 insert into job_run (run_id, job, action, scheduled_for, trigger_type, status,
                     ended_at)
                 values
                     ('old', 'x', 'scan', now() - interval '100 days', 'scheduled',
                      'succeeded', now() - interval '100 days'),
                     ('old-failed', 'x', 'scan', now() - interval '101 days', 'scheduled',
                      'failed', now() - interval '101 days'),
                     ('open', 'x', 'scan', now() - interval '102 days', 'scheduled',
                      'running', null);
                 insert into refresh_item (work_id, status, processed_at)
                 values (1, 'completed', now() - interval '31 days'), (1, 'completed', now());
                 insert into refresh_item (work_id, status, queued_at)
                 values (1, 'queued', now() - interval '31 days');
             end $$",
        )
        .await;
    }

    /// As if TMDB had not answered 404 for any movie.
    pub async fn forget_the_404s(&self) {
        self.execute("update title set missing_since = null, hold_until = null").await;
    }

    /// The refresh of this movie waits in a lane that this version does not know.
    pub async fn queue_in_an_unknown_lane(&self, id: i64) {
        self.execute(&format!(
            "insert into refresh_item (work_id, tmdb_id, status, lane, priority)
             select work_id, {id}, 'queued', 'express', 1000
             from works
             where tmdb_id = '{id}'"
        ))
        .await;
    }

    /// Rows of delivery that are named after what has to become of them.
    pub async fn add_old_and_young_deliveries(&self) {
        self.execute(
            "insert into outbox (subject, message_id, ordering_key, headers, payload, published_at)
             select subject, id, id, '{}', '{}', now() - age
             from (values
                 ('movies.changed.1', 'goes-event', interval '2 days'),
                 ('movies.changed.1', 'stays-event', interval '12 hours'),
                 ('movies.ingest.movie', 'goes-handled', interval '2 days'),
                 ('movies.ingest.movie', 'stays-unhandled', interval '2 days'),
                 ('movies.ingest.movie', 'goes-unhandled', interval '15 days')
             ) as t (subject, id, age);
             insert into inbox (consumer, message_key, handled_at)
             values
                 ('ingest-movie', 'goes-handled', now() - interval '13 days'),
                 ('ingest-movie', 'goes-inbox', now() - interval '15 days'),
                 ('ingest-movie', 'stays-inbox', now() - interval '13 days');
             insert into attempt (consumer, message_key, last_at)
             values
                 ('ingest-movie', 'goes-attempt', now() - interval '15 days'),
                 ('ingest-movie', 'stays-attempt', now() - interval '13 days')",
        )
        .await;
    }

    /// An event that is larger than the broker takes.
    pub async fn add_huge_event(&self) {
        self.execute(
            "insert into outbox (subject, message_id, ordering_key, headers, payload)
             values ('movies.changed.1', 'huge', '1', '{}',
                 jsonb_build_object('text', repeat('x', 2000000)))",
        )
        .await;
    }

    /// Two movies of an adopted database: one that TMDB cannot know, and The Matrix; with details.
    pub async fn add_adopted_movies(&self) {
        self.edit_works(
            "insert into works (tmdb_id, title, ingestion_status, last_refreshed_at)
             values ('tt1', 'No number', 'complete', now()),
                 ('603', 'The Matrix', 'complete', now());
             insert into works_meta (work_id, overview, cast_members)
             select work_id, 'as it was', '[{\"person_id\": \"6384\", \"name\": \"Keanu\"}]'
             from works",
        )
        .await;
    }
}
