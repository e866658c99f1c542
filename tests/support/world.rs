//! A world of its own for every test: `mangoes up --demo` in a private folder, its servers on free
//! ports. What can be said about it are its words: here those for the program and its messages, in
//! `words/` those for what is in the database.

use std::{
    ops::Deref,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tmdb_sim::Sim;

use crate::{
    database::Database,
    eventually::{PATIENCE, Wait},
    folder::Folder,
    http::http_get,
    nats::PlainNats,
    program::{Process, Said, mangoes},
    servers::CREDENTIAL,
    shapes,
    words::{HostedApp, Login},
};

/// Settings that name a database, its address first.
const OF_A_DATABASE: [&str; 2] = ["DATABASE_URL", "MANGOES_APP_SCHEMA"];
/// So long a process may take to die of a message, or to make a dead letter of it.
const DEATH_WITHIN: Duration = PATIENCE;

/// The running program, its servers and its database. Gone when it is dropped.
#[derive(Debug)]
pub struct World {
    /// Everything that it writes is in here.
    pub folder: Folder,
    /// Address of NATS, with user and password.
    pub nats_url: String,
    /// Address of Postgres, with user and password.
    pub database_url: String,
    process: Process,
    database: Database,
    nats: PlainNats,
    /// Settings of a database that is not the world's own, for the command line.
    given: Vec<(String, String)>,
}

/// The words for what is in the database are the World's words too.
impl Deref for World {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

impl World {
    /// Everything runs, with the simulator in TMDB's place.
    pub async fn start(name: &str) -> Self {
        Self::start_in(Folder::new(name)).await
    }

    /// As `start`, where something ran before.
    pub async fn start_in(folder: Folder) -> Self {
        Self::run_up(folder, &["up", "--demo"], &[]).await
    }

    /// Everything runs against a simulator of the test's own, with these settings.
    pub async fn start_against(name: &str, sim: &Sim, settings: &[(&str, &str)]) -> Self {
        Self::start_against_in(Folder::new(name), sim, settings).await
    }

    /// As `start_against`, where something ran before.
    pub async fn start_against_in(folder: Folder, sim: &Sim, settings: &[(&str, &str)]) -> Self {
        let base = sim.base_url();
        let env: Vec<(&str, &str)> = [("TMDB_BASE_URL", &*base), ("TMDB_TOKEN", CREDENTIAL)]
            .into_iter()
            .chain(settings.iter().copied())
            .collect();
        Self::run_up(folder, &["up"], &env).await
    }

    /// Everything runs on the app's database, as its owner, who is no superuser; against a
    /// simulator of the test's own.
    pub async fn start_on(app: &HostedApp, sim: &Sim) -> Self {
        Self::start_as(app, Login::Owner, sim).await
    }

    /// As `start_on`, as this login.
    pub async fn start_as(app: &HostedApp, login: Login, sim: &Sim) -> Self {
        let given = app.settings(login);
        let base = sim.base_url();
        let of_tmdb = [("TMDB_BASE_URL", &*base), ("TMDB_TOKEN", CREDENTIAL), ("TMDB_RATE", "0")];
        let env: Vec<(&str, &str)> =
            given.iter().map(|(name, value)| (*name, &**value)).chain(of_tmdb).collect();
        Self::run_up(Folder::new(&app.name), &["up", "--embed-missing"], &env).await
    }

    /// Runs these arguments with these settings, and waits until the program is up.
    pub async fn run_up(folder: Folder, args: &[&str], env: &[(&str, &str)]) -> Self {
        let (log, endpoints) = (folder.0.join("up.log"), folder.0.join("endpoints.json"));
        // One of an earlier start would tell of servers that are gone; there may be none.
        let _ = std::fs::remove_file(&endpoints);
        let mut command = mangoes(&folder.0);
        command.args(args).envs(env.iter().copied());
        let mut process = Process::start(&mut command, &log);
        let look = async || (endpoints_in(&folder), process.end());
        let (endpoints, end) = Wait::within(PATIENCE)
            .showing(&log)
            .until("mangoes up is up", look, |(up, end)| up.is_some() || end.is_some())
            .await;
        let Some(endpoints) = endpoints else {
            panic!("mangoes up ended with {end:?}:\n{}", folder.read("up.log"))
        };
        let of_a_database = |(name, _): &&(&str, &str)| OF_A_DATABASE.contains(name);
        let given = env.iter().filter(of_a_database);
        let given: Vec<_> =
            given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let given_url = given.first().map(|(_, url)| url.clone());
        let text = |key: &str| endpoints[key].as_str().map(ToOwned::to_owned);
        let nats_url = text("nats_url").unwrap();
        let database_url = given_url.or_else(|| text("database_url")).unwrap();
        let database = Database::connect(&database_url, &log).await;
        let nats = PlainNats::at(&nats_url);
        // It would ask TMDB at each quarter of an hour, beside calls that tests count.
        database.pause_by_sql("changes_feed", "read when a test asks for it").await;
        Self { folder, nats_url, database_url, process, database, nats, given }
    }

    /// A connection of somebody else, which outlives this world.
    pub async fn somebody_else(&self) -> Database {
        Database::connect(&self.database_url, &self.folder.0.join("up.log")).await
    }

    /// Publishes as a plain NATS client does: no header, no JetStream.
    pub async fn publish(&self, subject: &str, payload: &[u8]) {
        self.nats.publish(subject, payload).await;
    }

    /// Publishes many messages, and waits until the stream has confirmed each of them.
    pub async fn flood(&self, subject: &str, payloads: impl Iterator<Item = String>) {
        self.nats.flood(subject, payloads).await;
    }

    /// As `publish`, with this JSON.
    pub async fn publish_json(&self, subject: &str, payload: Value) {
        self.publish(subject, payload.to_string().as_bytes()).await;
    }

    /// Publishes under a message id and waits for the stream's confirmation.
    pub async fn publish_with_id(&self, subject: &str, id: &str, payload: &[u8]) {
        self.nats.publish_with_id(subject, id, payload).await;
    }

    /// Publishes headers that no library would send.
    pub async fn publish_raw(&self, subject: &str, headers: &[u8], payload: &[u8]) {
        self.nats.publish_raw(subject, headers, payload).await;
    }

    /// Asks for a movie that may be new.
    pub async fn ingest(&self, id: i64) {
        self.publish_json("movies.ingest.movie", json!({"tmdb_id": id})).await;
    }

    /// As `ingest`, also when what is stored is fresh.
    pub async fn ingest_forced(&self, id: i64) {
        self.publish_json("movies.ingest.movie", json!({"tmdb_id": id, "force": true})).await;
    }

    /// Asks for the first movies of a list.
    pub async fn ingest_list(&self, source: &str, max_movies: u32) {
        let payload = json!({"source": source, "max_movies": max_movies});
        self.publish_json("movies.ingest.list", payload).await;
    }

    /// As `ingest_list`, as a run with this id.
    pub async fn ingest_list_as(&self, run_id: &str, source: &str, max_movies: u32) {
        let payload = json!({"source": source, "max_movies": max_movies, "run_id": run_id});
        self.publish_json("movies.ingest.list", payload).await;
    }

    /// Says that a movie of the catalogue is stale now.
    pub async fn stale(&self, id: i64) {
        self.publish_json("movies.stale.now", json!({"tmdb_id": id})).await;
    }

    /// Asks the JetStream API; returns all that the server sent.
    pub async fn jetstream(&self, verb: &str) -> String {
        self.nats.ask(&format!("$JS.API.{verb}"), b"").await
    }

    /// Messages in a stream.
    pub async fn messages(&self, stream: &str) -> i64 {
        let subject = format!("$JS.API.STREAM.INFO.{stream}");
        self.nats.ask_json(&subject, b"").await["state"]["messages"].as_i64().unwrap()
    }

    /// Waits until a stream of work is empty: each of its messages was worked off or given up.
    pub async fn nothing_left_in(&self, stream: &str) {
        let look = async || self.messages(stream).await;
        self.eventually(&format!("{stream} is empty"), look, |n| *n == 0).await;
    }

    /// Asks `movies.api.<verb>`; an error is its code and its words.
    pub async fn request(&self, verb: &str, asked: &Value) -> Result<Value, (u16, String)> {
        let (subject, request) = (format!("movies.api.{verb}"), asked.to_string());
        // A process that has just begun may not serve it yet.
        let look = async || self.nats.ask(&subject, request.as_bytes()).await;
        let served = |answer: &String| !answer.contains("NATS/1.0 503");
        let answer = self.eventually(&format!("{subject} is served"), look, served).await;
        let header = |name: &str| {
            answer.lines().find_map(|l| l.strip_prefix(name)).map(|v| v.trim().to_owned())
        };
        if let Some(code) = header("Nats-Service-Error-Code:") {
            return Err((code.parse().unwrap(), header("Nats-Service-Error:").unwrap_or_default()));
        }
        let body = answer
            .lines()
            .find(|l| l.starts_with(['{', '[']))
            .unwrap_or_else(|| panic!("{verb}: {answer}"));
        let answer = serde_json::from_str(body).unwrap_or_else(|e| panic!("{verb}: {e}: {body}"));
        shapes::assert_request(verb, asked);
        shapes::assert_answer(verb, &answer);
        Ok(answer)
    }

    /// A service alone, on this world's servers; it writes into the world's log.
    pub fn service(&self, args: &[&str], env: &[(&str, &str)]) -> Process {
        let mut command = mangoes(&self.folder.0);
        command
            .args(args)
            .envs([("NATS_URL", &self.nats_url), ("DATABASE_URL", &self.database_url)])
            .envs(env.iter().copied());
        Process::start(&mut command, &self.folder.0.join("up.log"))
    }

    /// Runs a verb of the command line; returns what it printed.
    pub fn verb(&self, args: &[&str]) -> String {
        let said = self.try_verb(args);
        assert!(said.succeeded(), "{args:?}: {}\n{}", said.text, self.log());
        said.text
    }

    /// As `verb`, where it has to fail.
    pub fn verb_fails(&self, args: &[&str]) -> String {
        let said = self.try_verb(args);
        assert!(!said.succeeded(), "{args:?} did not fail: {}", said.text);
        said.text
    }

    /// As `verb`, however it ends.
    pub fn try_verb(&self, args: &[&str]) -> Said {
        let mut command = mangoes(&self.folder.0);
        command.envs(self.given.iter().cloned());
        Said::by(command.args(args))
    }

    /// As `try_verb`, with these settings.
    pub fn try_verb_with(&self, args: &[&str], env: &[(&str, &str)]) -> Said {
        let mut command = mangoes(&self.folder.0);
        command.envs(self.given.iter().cloned()).envs(env.iter().copied());
        Said::by(command.args(args))
    }

    /// What the program wrote so far.
    pub fn log(&self) -> String {
        self.folder.read("up.log")
    }

    /// What `endpoints.json` says under this key.
    pub fn endpoint(&self, key: &str) -> String {
        let endpoints = endpoints_in(&self.folder).unwrap();
        endpoints[key].as_str().unwrap().to_owned()
    }

    /// Waits until `/readyz` answers so, with these words.
    pub async fn readyz(&self, status: u16, words: &str) {
        let listen = self.endpoint("listen").parse().unwrap();
        let look = async || http_get(listen, "/readyz", "").await;
        self.eventually(&format!("/readyz says {status} {words:?}"), look, |said| {
            said.as_ref().is_some_and(|(s, text)| *s == status && text.contains(words))
        })
        .await;
    }

    /// Where this world's files are: its folder, and the servers' where that is elsewhere.
    pub fn folders(&self) -> Vec<PathBuf> {
        let elsewhere = std::fs::read_to_string(self.folder.0.join("servers-are-in")).ok();
        [self.folder.0.clone()]
            .into_iter()
            .chain(elsewhere.map(|path| PathBuf::from(path.trim())))
            .collect()
    }

    /// Whether the program has not ended.
    pub fn is_up(&mut self) -> bool {
        self.process.end().is_none()
    }

    /// Waits for the first dead letter (true) or for the end of the process (false), whichever
    /// comes first.
    pub async fn lives_until_a_dead_letter(&mut self) -> bool {
        // A database that died with the process answers nothing: the next look is at the process.
        let look = async || (self.process.end(), self.database.dead_letters().if_known().await);
        let log = self.folder.0.join("up.log");
        let wait = Wait::within(DEATH_WITHIN).showing(&log);
        let one = |n: &Result<i64, String>| matches!(n, Ok(1..));
        let (end, _) = wait
            .until("a dead letter, or the end of the process", look, |(end, letters)| {
                end.is_some() || one(letters)
            })
            .await;
        end.is_none()
    }

    /// kill -9; the folder stays.
    pub async fn kill(mut self) -> Folder {
        self.database.close().await;
        self.process.kill();
        self.folder.take()
    }

    /// SIGTERM; returns how long the drain took.
    pub async fn stop(mut self) -> (Folder, Duration) {
        self.database.close().await;
        let begun = Instant::now();
        self.process.terminate();
        let status = self.process.ended().await;
        assert!(status.success(), "{status}:\n{}", self.log());
        (self.folder.take(), begun.elapsed())
    }
}

/// Where the program in this folder says that it can be found; `None` until it is up.
fn endpoints_in(folder: &Folder) -> Option<Value> {
    serde_json::from_str(&folder.read("endpoints.json")).ok()
}
