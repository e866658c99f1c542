//! `/readyz` is false exactly while no work is done, `/healthz` when a new start would help.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use embedded::{Options, Servers, free_port};
use runtime::{Clock, Secret, SystemClock};
use rustix::process::{Pid, Signal, kill_process};
use store::{RunRef, ScanOrder, Store, StoreError};
use tests::{Folder, Proxy, http_get, mangoes, message};
use tmdb_sim::Sim;

use crate::world::{PATIENCE, request_raw};

/// One service alone, with its health on a port that the test knows.
struct Watched {
    child: Child,
    log: PathBuf,
    health: SocketAddr,
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Watched {
    fn start(folder: &Folder, service: &str, (nats, database): (&str, &str), sim: &Sim) -> Self {
        let health = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        let path = folder.0.join("up.log");
        let log = std::fs::File::options().create(true).append(true).open(&path).unwrap();
        let mut command = mangoes(&folder.0);
        command.args(["serve", service]).envs([
            ("NATS_URL", nats),
            ("DATABASE_URL", database),
            ("TMDB_TOKEN", "sesame"),
        ]);
        command.envs([
            ("TMDB_BASE_URL", sim.base_url()),
            ("MANGOES_LISTEN", health.to_string()),
            ("NO_COLOR", "1".to_owned()),
        ]);
        let child = command
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, log: path, health }
    }

    /// Until `/readyz` answers so, with these words; `/healthz` has nothing to say all the while.
    async fn until(&self, status: u16, words: &str) {
        let begun = Instant::now();
        loop {
            let said = http_get(self.health, "/readyz", "").await;
            if said.as_ref().is_some_and(|(s, text)| *s == status && text.contains(words)) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "awaited {status} {words:?}, got {said:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(
            http_get(self.health, "/healthz", "").await.map(|(s, _)| s),
            Some(200),
            "a new start would not help"
        );
    }

    async fn ended(&mut self) -> i32 {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            if begun.elapsed() > PATIENCE * 2 {
                let says = (
                    http_get(self.health, "/readyz", "").await,
                    http_get(self.health, "/healthz", "").await,
                );
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                panic!("it does not end; it says {says:?}\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn stage(name: &str) -> (Folder, Servers, Sim) {
    let folder = Folder::new(name);
    let options = Options { data_dir: folder.0.join("servers"), nats_port: None, durable: false };
    (
        folder,
        Servers::start(&options).await.unwrap(),
        Sim::start(tmdb_sim::Options::default()).await.unwrap(),
    )
}

/// A proxy before the database, and the way through it.
async fn behind_a_proxy(database_url: &str) -> (Proxy, String) {
    let (account, rest) = database_url.rsplit_once('@').unwrap();
    let (host, name) = rest.split_once('/').unwrap();
    let proxy = Proxy::start(host.parse().unwrap()).await;
    let through = format!("{account}@{}/{name}", proxy.address);
    (proxy, through)
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_false_exactly_while_no_work_is_done() {
    let (folder, mut servers, sim) = stage("ready").await;
    let urls = (servers.nats_url(), servers.database_url());
    let mut refresh = Watched::start(&folder, "refresh", (&urls.0, &urls.1), &sim);
    let scheduler = Watched::start(&folder, "scheduler", (&urls.0, &urls.1), &sim);
    let both = async |status: u16, words: &str| {
        refresh.until(status, words).await;
        scheduler.until(status, words).await;
    };
    both(200, "ready").await;
    servers.nats.kill().await.unwrap();
    both(503, "NATS is not connected").await;
    servers.nats.restart().await.unwrap();
    both(200, "ready").await;
    // A server that is there and says nothing.
    signal(servers.nats.pid(), Signal::STOP);
    both(503, "NATS").await;
    signal(servers.nats.pid(), Signal::CONT);
    both(200, "ready").await;
    servers.postgres.kill().await.unwrap();
    both(503, "the database").await;
    servers.postgres.restart().await.unwrap();
    both(200, "ready").await;
    // A database that answers and takes nothing.
    let pool =
        sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&urls.1).await.unwrap();
    let read_only = async |on: &str| {
        // It holds for sessions that begin after it.
        let sql = format!(
            "do $$ begin execute format('alter database %I set default_transaction_read_only = {on}', current_database()); end $$;
             select pg_terminate_backend(pid) from pg_stat_activity where usename = current_user and pid <> pg_backend_pid()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    };
    read_only("on").await;
    request_raw(&urls.0, "movies.stale.now", br#"{"tmdb_id": 603}"#).await;
    refresh.until(503, "refresh-now fails").await;
    scheduler.until(503, "scheduler fails").await;
    read_only("off").await;
    both(200, "ready").await;
    // Its stream is gone and cannot be made: another took the subjects. The scheduler does not need
    // it.
    let api = async |subject: &str, body: &str| {
        request_raw(&urls.0, &format!("$JS.API.STREAM.{subject}"), body.as_bytes()).await
    };
    loop {
        api("DELETE.MOVIES_STALE", "").await;
        // Who looks for missing streams may be quicker.
        let thief = api(
            "CREATE.THIEF",
            r#"{"name": "THIEF", "subjects": ["movies.stale.>"], "storage": "file"}"#,
        )
        .await;
        if !thief.contains("\"error\"") {
            break;
        }
    }
    refresh.until(503, "refresh-now has been stalled").await;
    api("DELETE.THIEF", "").await;
    both(200, "ready").await;
    // In hand while it drains: not ready, and then gone with exit code 0.
    sim.control().set_latency(Duration::from_secs(3));
    sqlx::raw_sql("insert into works (tmdb_id, title) values ('603', 'The Matrix')")
        .execute(&pool)
        .await
        .unwrap();
    request_raw(&urls.0, "movies.stale.now", br#"{"tmdb_id": 603}"#).await;
    let in_hand = || sim.control().stats().detail_calls > 0;
    let begun = Instant::now();
    while !in_hand() {
        assert!(begun.elapsed() < PATIENCE, "nobody asks for the movie");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    signal(i32::try_from(refresh.child.id()).unwrap(), Signal::TERM);
    refresh.until(503, "it drains").await;
    assert_eq!(refresh.ended().await, 0);
    let titles = sqlx::query_scalar::<_, i64>("select count(*) from works where revision = 1")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(titles, 1, "what was in hand was finished");
}

/// A connection to the database that falls silent under a question stands until the kernel gives it
/// up, a quarter of an hour later. Work goes on long before.
#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_when_connections_fall_silent() {
    let (folder, servers, sim) = stage("silent").await;
    let (nats, database) = (servers.nats_url(), servers.database_url());
    let (proxy, through) = behind_a_proxy(&database).await;
    let mut scheduler = Watched::start(&folder, "scheduler", (&nats, &through), &sim);
    scheduler.until(200, "ready").await;
    let pool = sqlx::PgPool::connect(&database).await.unwrap();
    let until = async |sql: &str| {
        let begun = Instant::now();
        while sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)).fetch_one(&pool).await.unwrap()
            == 0
        {
            assert!(begun.elapsed() < PATIENCE, "never: {sql}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // A sweep waits for an answer when its connection falls silent.
    let mut lock = pool.begin().await.unwrap();
    sqlx::raw_sql("lock table job in access exclusive mode").execute(&mut *lock).await.unwrap();
    until("select count(*) from pg_stat_activity where application_name like 'mangoes %' and wait_event_type = 'Lock'").await;
    proxy.silence();
    lock.rollback().await.unwrap();
    let beat = "insert into job (name, action, payload, schedule) values ('beat', 'refresh', '{\"max_items\": 1}', 'every 2s')";
    sqlx::raw_sql(beat).execute(&pool).await.unwrap();
    // It goes on by itself, or ends, says why, and goes on after a new start.
    let fired = "select count(*) from outbox where subject = 'movies.tick.refresh.beat' and published_at is not null";
    let begun = Instant::now();
    while sqlx::query_scalar::<_, i64>(fired).fetch_one(&pool).await.unwrap() == 0 {
        if let Some(status) = scheduler.child.try_wait().unwrap() {
            let said = std::fs::read_to_string(folder.0.join("up.log")).unwrap();
            assert!(
                status.code() == Some(1) && said.contains("only a restart helps"),
                "{status}: {said}"
            );
            scheduler = Watched::start(&folder, "scheduler", (&nats, &through), &sim);
        }
        assert!(begun.elapsed() < PATIENCE * 2, "no tick goes out");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scheduler.until(200, "ready").await;
}

/// Long work goes on while the database is at it, and is given back when its connection fell
/// silent.
#[tokio::test(flavor = "multi_thread")]
async fn long_work_is_told_from_a_silent_connection() {
    const BUSY: Duration = Duration::from_secs(12);
    let (_folder, servers, _sim) = stage("long-work").await;
    let (proxy, through) = behind_a_proxy(&servers.database_url()).await;
    let store = Store::connect(&Secret::new(through), "long", 1).await.unwrap();
    store.migrate().await.unwrap();
    let now = SystemClock.now();
    let (job, action, trigger_type) =
        ("daily_refresh_enqueue".parse().unwrap(), proto::Action::Scan, proto::TriggerType::Manual);
    let run =
        RunRef { run_id: "long".parse().unwrap(), job, action, trigger_type, scheduled_for: now };
    store.start_run(&run, &serde_json::json!({"limit": 10})).await.unwrap();
    let order = ScanOrder { limit: 10, release: true };
    let scan = async |key| store.scan(&message("ticks-scan", key), &run.run_id, order).await;
    let pool = sqlx::PgPool::connect(&servers.database_url()).await.unwrap();
    let mut lock = pool.begin().await.unwrap();
    sqlx::raw_sql("lock table refresh_queue in access exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    let begun = Instant::now();
    let released = async {
        tokio::time::sleep(BUSY).await;
        lock.commit().await.unwrap();
    };
    let (done, ()) = tokio::join!(scan("busy"), released);
    done.unwrap();
    assert!(begun.elapsed() >= BUSY);
    proxy.silence();
    let begun = Instant::now();
    assert!(matches!(scan("silent").await, Err(StoreError::Unavailable(_))));
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
}
