//! Those who write the app's tables, with the rights that they have.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, PgPool};

use super::app::HostedApp;

/// Whether it was done, or why not.
type Done = Result<(), String>;

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The HTTP interface's `service_role`.
    Service,
    /// A role with rights on `works` and on nothing else, made before anything of ours.
    Plain,
    /// As `Plain`, with an empty search path.
    PlainWithoutPath,
}

impl Writer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Service, Self::Plain, Self::PlainWithoutPath];

    /// What begins its transaction, on a superuser's connection.
    const fn begin(self) -> &'static str {
        match self {
            Self::Service => {
                "set local session authorization authenticator;
                 set local role service_role"
            }
            Self::Plain => "set local session authorization app_plain",
            Self::PlainWithoutPath => {
                "set local session authorization app_plain;
                 set local search_path = ''"
            }
        }
    }
}

impl HostedApp {
    /// Makes the role of [`Writer::Plain`].
    pub async fn add_plain_writer(&self) {
        self.as_superuser(
            "create role app_plain nologin bypassrls;
             grant usage on schema public to app_plain;
             grant select, insert, update, delete on public.works to app_plain;
             grant usage on sequence public.works_work_id_seq to app_plain",
        )
        .await;
    }

    /// Adds a movie that came out long ago and was never read from TMDB.
    pub async fn add_movie_as(&self, writer: Writer, tmdb_id: i64) -> Done {
        let sql = format!(
            "insert into public.works (tmdb_id, title, release_date, last_refreshed_at)
             values ('{tmdb_id}', 'New', '1990-01-01', null)"
        );
        self.write(writer, &sql).await
    }

    /// Adds a movie through the app's function, which trusts no search path.
    pub async fn add_movie_by_function(&self, tmdb_id: i64) -> Done {
        let sql = format!("select public.add_movie_to_catalog('{tmdb_id}', 'New')");
        self.write(Writer::Service, &sql).await
    }

    /// Says that the movie was read from TMDB so long ago.
    pub async fn set_refreshed_days_ago_as(&self, writer: Writer, id: i64, days: i32) -> Done {
        let sql = format!(
            "update public.works
             set last_refreshed_at = now() - interval '{days} days'
             where tmdb_id = '{id}'"
        );
        self.write(writer, &sql).await
    }

    /// Says that the movie came out so long ago.
    pub async fn set_released_days_ago_as(&self, writer: Writer, id: i64, days: i32) -> Done {
        let sql = format!(
            "update public.works
             set release_date = current_date - {days}
             where tmdb_id = '{id}'"
        );
        self.write(writer, &sql).await
    }

    /// Takes the movie away.
    pub async fn delete_movie_as(&self, writer: Writer, id: i64) -> Done {
        self.write(writer, &format!("delete from public.works where tmdb_id = '{id}'")).await
    }

    /// Logs a call of TMDB as the app does, and gets the row's id.
    pub async fn log_call(&self, function: &str, user_query: &str) -> Done {
        let sql = format!(
            "insert into public.tmdb_api_logs (endpoint, method, http_status, query_params,
                 request_body, response_size_bytes, response_time_ms, results_count,
                 edge_function, user_query, tmdb_id, voice_event_id, error_message,
                 retry_count, metadata)
             values ('/3/movie/603', 'GET', 200, '{{}}', null, null, 80, null, '{function}',
                 '{user_query}', '603', gen_random_uuid(), null, 0, '{{\"attempt\": 1}}')
             returning id"
        );
        self.write(Writer::Service, &sql).await
    }

    async fn write(&self, writer: Writer, sql: &str) -> Done {
        write(&self.superuser, writer, sql).await
    }

    /// Begins to read and write a row of `works` all the time, and to measure it.
    pub fn watch_stalls(&self) -> Stalls {
        let over = Arc::new(AtomicBool::new(false));
        let seen = tokio::spawn(probe(self.superuser.clone(), Arc::clone(&over)));
        Stalls { over, seen }
    }
}

async fn write(pool: &PgPool, writer: Writer, sql: &str) -> Done {
    let failed = |e: sqlx::Error| format!("as {writer:?}: {e}: {sql}");
    let mut transaction = pool.begin().await.map_err(failed)?;
    sqlx::raw_sql(writer.begin()).execute(&mut *transaction).await.map_err(failed)?;
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await;
    let done = done.map_err(failed)?;
    // A select counts what it returned.
    if done.rows_affected() != 1 {
        return Err(format!("as {writer:?}: {} rows: {sql}", done.rows_affected()));
    }
    transaction.commit().await.map_err(failed)
}

/// Somebody who uses `works` all the time.
#[derive(Debug)]
pub struct Stalls {
    over: Arc<AtomicBool>,
    seen: tokio::task::JoinHandle<Seen>,
}

/// What he saw.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// How often he read and wrote.
    pub looks: u32,
    /// The longest that he waited for an answer.
    pub longest: Duration,
}

impl Stalls {
    /// Ends it.
    pub async fn seen(self) -> Seen {
        self.over.store(true, Ordering::Relaxed);
        self.seen.await.unwrap()
    }
}

async fn probe(pool: PgPool, over: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::default();
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        // The movie of the open writer is another one: he waits for nobody but for us, also where
        // our own rows are held.
        let sql = "update public.works set last_refreshed_at = now() where tmdb_id = '550'";
        write(&pool, Writer::Service, sql).await.unwrap();
        seen.looks += 1;
        seen.longest = seen.longest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    seen
}
