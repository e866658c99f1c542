//! `mangoes up` on servers that the test gives, with whatever stands before them.

use std::{net::SocketAddr, path::PathBuf, process::Command};

use embedded::{Servers, free_port};
use tmdb_sim::Sim;

use crate::{
    database::Database,
    eventually::{PATIENCE, Wait},
    folder::Folder,
    http::http_get,
    nats::PlainNats,
    program::{Process, Said, mangoes},
    proxy::Proxy,
    servers::{CREDENTIAL, servers},
    superuser::superuser,
};

/// Servers without the program.
#[derive(Debug)]
pub struct Given {
    /// Everything that is written is in here.
    pub folder: Folder,
    /// NATS and Postgres.
    pub servers: Servers,
    /// A plain way to NATS.
    pub nats: PlainNats,
}

/// The program on given servers, with all services and the simulator in TMDB's place.
#[derive(Debug)]
pub struct Running {
    /// Killed when it is dropped.
    pub process: Process,
    health: SocketAddr,
    log: PathBuf,
}

impl Given {
    /// Servers in a folder of this name.
    pub async fn start(name: &str) -> Self {
        let folder = Folder::new(name);
        let servers = servers(&folder).await;
        let nats = PlainNats::at(&servers.nats_url());
        Self { folder, servers, nats }
    }

    /// The way to the database that the test itself takes.
    pub async fn database(&self) -> Database {
        Database::connect(&self.servers.database_url(), &self.log()).await
    }

    /// As `database`, after its password was changed.
    pub async fn database_with(&self, password: &str) -> Database {
        let url = self.servers.database_url();
        let (_, server) = url.rsplit_once('@').unwrap();
        Database::connect(&format!("postgres://mangoes:{password}@{server}"), &self.log()).await
    }

    /// The program with these settings; those that are not among them say where the servers are.
    pub fn command(&self, args: &[&str], env: &[(&str, &str)]) -> Command {
        let mut command = mangoes(&self.folder.0);
        command
            .args(args)
            .env("NATS_URL", self.servers.nats_url())
            .env("DATABASE_URL", self.servers.database_url())
            .env("NO_COLOR", "1")
            .envs(env.iter().copied());
        command
    }

    /// Runs everything with these settings, and waits until work is done.
    pub async fn up(&self, env: &[(&str, &str)]) -> Running {
        self.run(self.command(&["up", "--demo"], env)).await
    }

    /// As `up`, with a simulator of the test's own in TMDB's place.
    pub async fn up_against(&self, sim: &Sim, env: &[(&str, &str)]) -> Running {
        let mut command = self.command(&["up"], env);
        command.env("TMDB_BASE_URL", sim.base_url()).env("TMDB_TOKEN", CREDENTIAL);
        self.run(command).await
    }

    /// A proxy before the database, and the way through it.
    pub async fn proxy(&self) -> (Proxy, String) {
        let url = self.servers.database_url();
        let (account, rest) = url.rsplit_once('@').unwrap();
        let (host, name) = rest.split_once('/').unwrap();
        let proxy = Proxy::start(host.parse().unwrap()).await;
        let through = format!("{account}@{}/{name}", proxy.address);
        (proxy, through)
    }

    /// Another server takes over: sessions that there are can only read from now on, new ones
    /// write.
    pub async fn fails_over(&self) {
        let url = superuser(&self.servers.postgres).await;
        let database = Database::connect(&url, &self.log()).await;
        database.let_old_sessions_only_read("mangoes").await;
        database.close().await;
    }

    async fn run(&self, mut command: Command) -> Running {
        let health = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        command.env("MANGOES_LISTEN", health.to_string()).env("TMDB_RATE", "0");
        let process = Process::start(&mut command, &self.log());
        let mut running = Running { process, health, log: self.log() };
        running.until(200, "ready").await;
        running
    }

    /// Runs a verb beside the program, straight at the servers; returns what it printed.
    pub async fn verb(&self, args: &[&str]) -> String {
        let mut command = self.command(args, &[]);
        let said = tokio::task::spawn_blocking(move || Said::by(&mut command)).await.unwrap();
        assert!(said.succeeded(), "{args:?}: {}\n{}", said.text, self.said());
        said.text
    }

    /// The main job: the daily ingest, then a refresh of what it brought; all events go out.
    pub async fn works_off_the_main_job(&self, database: &Database) {
        let before = database.movies().complete().await;
        self.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]).await;
        assert_eq!(database.movies().complete().await, before + 30);
        database.age_all(100).await;
        self.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]).await;
        assert_eq!(database.movies().stale().await, 0, "all were refreshed");
        database.all_published().await;
        assert_eq!(database.dead_letters().await, 0);
    }

    /// Asks for a movie, and waits until it is there.
    pub async fn ingests(&self, database: &Database, id: i64) {
        let payload = format!("{{\"tmdb_id\": {id}}}");
        self.nats.publish("movies.ingest.movie", payload.as_bytes()).await;
        database.movie(id).complete().becomes(1).await;
    }

    /// What the program wrote so far.
    pub fn said(&self) -> String {
        self.folder.read("up.log")
    }

    fn log(&self) -> PathBuf {
        self.folder.0.join("up.log")
    }
}

impl Running {
    /// Until `/readyz` answers so, with these words.
    pub async fn until(&mut self, status: u16, words: &str) {
        let look = async || (http_get(self.health, "/readyz", "").await, self.process.end());
        let (said, end) = Wait::within(PATIENCE)
            .showing(&self.log)
            .until(&format!("/readyz says {status} {words:?}"), look, |(said, end)| {
                let as_awaited = |(s, text): &(u16, String)| *s == status && text.contains(words);
                end.is_some() || said.as_ref().is_some_and(as_awaited)
            })
            .await;
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        assert!(end.is_none(), "the program ended with {end:?} after {said:?}:\n{log}");
    }
}
