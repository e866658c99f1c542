//! `/readyz` is false exactly while no work is done, `/healthz` when a restart would help.

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use delivery::MessageRef;
use embedded::{Servers, free_port};
use proto::MessageKey;
use runtime::Secret;
use rustix::process::{Pid, Signal, kill_process};
use store::{RunRef, ScanOrder, Store, StoreError};
use tests::{
    Database, Folder, PATIENCE, PlainNats, Process, Proxy, Wait, eventually, http_get, mangoes,
    servers,
};
use tmdb_sim::Sim;

/// Servers and a simulator, without the program.
struct Stage {
    folder: Folder,
    servers: Servers,
    sim: Sim,
    nats: PlainNats,
    nats_url: String,
    database_url: String,
}

impl Stage {
    async fn set(name: &str) -> Self {
        let folder = Folder::new(name);
        let servers = servers(&folder).await;
        let sim = Sim::start(tmdb_sim::Options::default()).await.unwrap();
        let (nats_url, database_url) = (servers.nats_url(), servers.database_url());
        let nats = PlainNats::at(&nats_url);
        Self { folder, servers, sim, nats, nats_url, database_url }
    }

    fn log(&self) -> PathBuf {
        self.folder.0.join("up.log")
    }

    async fn database(&self) -> Database {
        Database::connect(&self.database_url, &self.log()).await
    }

    /// A proxy before the database, and the way through it.
    async fn proxy(&self) -> (Proxy, String) {
        let (account, rest) = self.database_url.rsplit_once('@').unwrap();
        let (host, name) = rest.split_once('/').unwrap();
        let proxy = Proxy::start(host.parse().unwrap()).await;
        let through = format!("{account}@{}/{name}", proxy.address);
        (proxy, through)
    }

    /// A service alone, with its health on a port that the test knows.
    fn watched(&self, service: &str) -> Watched {
        self.watched_through(service, &self.database_url)
    }

    /// As `watched`, with another way to the database.
    fn watched_through(&self, service: &str, database_url: &str) -> Watched {
        let health = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        let mut command = mangoes(&self.folder.0);
        command
            .args(["serve", service])
            .env("NATS_URL", &self.nats_url)
            .env("DATABASE_URL", database_url)
            .env("TMDB_BASE_URL", self.sim.base_url())
            .env("TMDB_TOKEN", "sesame")
            .env("MANGOES_LISTEN", health.to_string())
            .env("NO_COLOR", "1");
        Watched { process: Process::start(&mut command, &self.log()), log: self.log(), health }
    }
}

/// One service alone.
struct Watched {
    process: Process,
    log: PathBuf,
    health: SocketAddr,
}

impl Watched {
    /// Until `/readyz` answers so, with these words; `/healthz` has nothing to say all the while.
    async fn until(&self, status: u16, words: &str) {
        let look = async || http_get(self.health, "/readyz", "").await;
        let as_awaited = |said: &Option<(u16, String)>| {
            said.as_ref().is_some_and(|(s, text)| *s == status && text.contains(words))
        };
        let wait = Wait::within(PATIENCE).showing(&self.log);
        wait.until(&format!("/readyz says {status} {words:?}"), look, as_awaited).await;
        let health = http_get(self.health, "/healthz", "").await;
        assert_eq!(health.map(|(s, _)| s), Some(200), "a restart would not help");
    }
}

/// Two services of which each does other work.
struct Pair {
    refresh: Watched,
    scheduler: Watched,
}

impl Pair {
    async fn until(&self, status: u16, words: &str) {
        self.refresh.until(status, words).await;
        self.scheduler.until(status, words).await;
    }
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Each server goes and comes back, the database takes nothing for a while, a stream is another's;
/// and at the end the service drains.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_false_exactly_while_no_work_is_done() {
    let mut stage = Stage::set("ready").await;
    let pair = Pair { refresh: stage.watched("refresh"), scheduler: stage.watched("scheduler") };
    pair.until(200, "ready").await;
    servers_go_and_come_back(&mut stage, &pair).await;
    let database = stage.database().await;
    the_database_takes_nothing(&stage, &pair, &database).await;
    a_stream_belongs_to_another(&stage, &pair).await;
    it_drains(&stage, pair.refresh, &database).await;
}

async fn servers_go_and_come_back(stage: &mut Stage, pair: &Pair) {
    stage.servers.nats.kill().await.unwrap();
    pair.until(503, "NATS is not connected").await;
    stage.servers.nats.restart().await.unwrap();
    pair.until(200, "ready").await;
    // A server that is there and says nothing.
    signal(stage.servers.nats.pid(), Signal::STOP);
    pair.until(503, "NATS").await;
    signal(stage.servers.nats.pid(), Signal::CONT);
    pair.until(200, "ready").await;
    stage.servers.postgres.kill().await.unwrap();
    pair.until(503, "the database").await;
    stage.servers.postgres.restart().await.unwrap();
    pair.until(200, "ready").await;
}

/// A database that answers and takes nothing.
async fn the_database_takes_nothing(stage: &Stage, pair: &Pair, database: &Database) {
    database.set_read_only(true).await;
    stage.nats.ask("movies.stale.now", br#"{"tmdb_id": 603}"#).await;
    pair.refresh.until(503, "refresh-now fails").await;
    pair.scheduler.until(503, "scheduler fails").await;
    database.set_read_only(false).await;
    pair.until(200, "ready").await;
    database.revoke("update", "public.aggregates", "current_user").await;
    pair.until(503, "table public.aggregates cannot be written").await;
    database.grant("update", "public.aggregates", "current_user").await;
    pair.until(200, "ready").await;
}

/// Its stream is gone and cannot be made: another took the subjects. The scheduler does not need
/// it.
async fn a_stream_belongs_to_another(stage: &Stage, pair: &Pair) {
    let thief = br#"{"name": "THIEF", "subjects": ["movies.stale.>"], "storage": "file"}"#;
    let steal = async || {
        stage.nats.ask("$JS.API.STREAM.DELETE.MOVIES_STALE", b"").await;
        // Whoever looks for missing streams may be quicker.
        stage.nats.ask("$JS.API.STREAM.CREATE.THIEF", thief).await
    };
    eventually("the stream is stolen", steal, |answer| !answer.contains("\"error\"")).await;
    pair.refresh.until(503, "refresh-now has been stalled").await;
    stage.nats.ask("$JS.API.STREAM.DELETE.THIEF", b"").await;
    pair.until(200, "ready").await;
}

/// In flight while it drains: not ready, and then gone with exit code 0.
async fn it_drains(stage: &Stage, mut refresh: Watched, database: &Database) {
    stage.sim.control().set_latency(Duration::from_secs(3));
    database.add_movie(603, "The Matrix").await;
    stage.nats.ask("movies.stale.now", br#"{"tmdb_id": 603}"#).await;
    let calls = async || stage.sim.control().stats().detail_calls;
    eventually("somebody asks for the movie", calls, |n| *n > 0).await;
    refresh.process.terminate();
    refresh.until(503, "it drains").await;
    assert_eq!(refresh.process.ended().await.code(), Some(0));
    assert_eq!(database.movies().written_once().await, 1, "what was in flight was finished");
}

/// A connection to the database that falls silent under a question stands until the kernel gives it
/// up, a quarter of an hour later. Work goes on long before.
#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_when_connections_fall_silent() {
    let stage = Stage::set("silent").await;
    let (proxy, through) = stage.proxy().await;
    let mut scheduler = stage.watched_through("scheduler", &through);
    scheduler.until(200, "ready").await;
    let database = stage.database().await;
    // A sweep waits for an answer when its connection falls silent.
    let lock = database.lock("job").await;
    database.connections_waiting_for_a_lock().reaches(1).await;
    proxy.silence();
    lock.release().await;
    database.add_beat("every 2s").await;
    // It goes on by itself, or ends, says why, and goes on after a restart.
    let fired = || database.events("movies.tick.refresh.beat").published();
    let look = async || {
        if let Some(status) = scheduler.process.end() {
            let said = stage.folder.read("up.log");
            assert!(
                status.code() == Some(1) && said.contains("only a restart helps"),
                "{status}: {said}"
            );
            scheduler = stage.watched_through("scheduler", &through);
        }
        fired().await
    };
    let log = stage.log();
    let wait = Wait::within(PATIENCE * 2).showing(&log);
    wait.until("a tick goes out", look, |n| *n > 0).await;
    scheduler.until(200, "ready").await;
}

/// Long work goes on while the database is at it, and is given back when its connection fell
/// silent.
#[tokio::test(flavor = "multi_thread")]
async fn long_work_is_told_from_a_silent_connection() {
    const BUSY: Duration = Duration::from_secs(12);
    let stage = Stage::set("long-work").await;
    let (proxy, through) = stage.proxy().await;
    let store = Store::connect(&Secret::new(through), "long", 1).await.unwrap();
    store.migrate().await.unwrap();
    let now = tests::now();
    let run = RunRef {
        run_id: "long".parse().unwrap(),
        job: "daily_refresh_enqueue".parse().unwrap(),
        action: proto::Action::Scan,
        trigger_type: proto::TriggerType::Manual,
        scheduled_for: now,
    };
    store.start_run(&run, &serde_json::json!({"limit": 10})).await.unwrap();
    let order = ScanOrder { limit: 10, release: true };
    let scan = async |key| {
        let message = MessageRef { consumer: "ticks-scan", key: MessageKey::new(key) };
        store.scan(&message, &run.run_id, order).await
    };
    let lock = stage.database().await.lock("refresh_item").await;
    let begun = Instant::now();
    let (done, ()) = tokio::join!(scan("busy"), lock.release_after(BUSY));
    done.unwrap();
    assert!(begun.elapsed() >= BUSY);
    proxy.silence();
    let begun = Instant::now();
    assert!(matches!(scan("silent").await, Err(StoreError::Unavailable(_))));
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
}
