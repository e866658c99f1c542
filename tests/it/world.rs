//! A world of its own for every test: `mangoes up --demo` in a private folder, its servers on free
//! ports.

use std::{
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use sqlx::{PgPool, Row};
use tests::nats_login;
pub(crate) use tests::{Folder, mangoes};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// Generous: two cores may be busy with other worlds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) folder: Folder,
    child: Child,
    pub(crate) pool: PgPool,
    pub(crate) nats_url: String,
    pub(crate) database_url: String,
}

/// A service that runs alone beside the world; killed at the end.
pub(crate) struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl World {
    /// Everything runs, with the simulator in TMDB's place.
    pub(crate) async fn start(name: &str) -> Self {
        Self::start_in(Folder::new(name)).await
    }

    pub(crate) async fn start_in(folder: Folder) -> Self {
        Self::start_with(folder, &[]).await
    }

    /// As `start_in`, with further arguments of `up --demo`.
    pub(crate) async fn start_with(folder: Folder, more: &[&str]) -> Self {
        let args: Vec<&str> = ["up", "--demo"].into_iter().chain(more.iter().copied()).collect();
        Self::run(folder, &args, &[]).await
    }

    /// Everything runs against a simulator of the test's own, with these settings.
    pub(crate) async fn start_against(
        name: &str,
        sim: &tmdb_sim::Sim,
        settings: &[(&str, &str)],
    ) -> Self {
        let base = sim.base_url();
        let env: Vec<(&str, &str)> = [("TMDB_BASE_URL", &*base), ("TMDB_TOKEN", "sesame")]
            .into_iter()
            .chain(settings.iter().copied())
            .collect();
        Self::run(Folder::new(name), &["up"], &env).await
    }

    pub(crate) async fn run(folder: Folder, args: &[&str], env: &[(&str, &str)]) -> Self {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.0.join("up.log"))
            .unwrap();
        drop(std::fs::remove_file(folder.0.join("endpoints.json")));
        let mut child = mangoes(&folder.0)
            .args(args)
            .envs(env.iter().copied())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let endpoints: Value = loop {
            let text = std::fs::read(folder.0.join("endpoints.json")).unwrap_or_default();
            if let Ok(value) = serde_json::from_slice(&text) {
                break value;
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("mangoes up ended with {status}:\n{}", log_of(&folder));
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "mangoes up does not come up:\n{}",
                log_of(&folder)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let text = |key: &str| endpoints[key].as_str().unwrap().to_owned();
        let (nats_url, database_url) = (text("nats_url"), text("database_url"));
        let pool = PgPool::connect(&database_url).await.unwrap();
        Self { folder, child, pool, nats_url, database_url }
    }

    /// Publishes as a plain NATS client does: no header, no JetStream.
    pub(crate) async fn publish(&self, subject: &str, payload: &[u8]) {
        self.talk(&format!("PUB {subject} {}\r\n", payload.len()), payload, "PONG").await;
    }

    async fn talk(&self, command: &str, payload: &[u8], awaited: &str) -> String {
        talk(&self.nats_url, command, payload, awaited).await
    }

    /// Publishes under a message id and waits for the stream's confirmation.
    pub(crate) async fn request_with_id(&self, subject: &str, id: &str, payload: &[u8]) {
        let headers = format!("NATS/1.0\r\nNats-Msg-Id: {id}\r\n\r\n");
        let (head, total) = (headers.len(), headers.len() + payload.len());
        let command = format!("SUB answer 1\r\nHPUB {subject} answer {head} {total}\r\n{headers}");
        let answer = self.talk(&command, payload, "MSG answer").await;
        assert!(answer.contains("\"seq\":") && !answer.contains("error"), "{answer}");
    }

    /// Publishes headers that no library would send.
    pub(crate) async fn publish_raw(&self, subject: &str, headers: &[u8], payload: &[u8]) {
        let body = [headers, payload].concat();
        self.talk(&format!("HPUB {subject} {} {}\r\n", headers.len(), body.len()), &body, "PONG")
            .await;
    }

    /// Waits until a dead letter stands (true) or the process has ended (false).
    pub(crate) async fn buried_within(&mut self, limit: Duration) -> bool {
        let begun = Instant::now();
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            // A database that died with the process answers nothing: the next look is at the
            // process.
            let letters = sqlx::query_scalar::<_, i64>("select count(*) from dead_letter")
                .fetch_one(&self.pool);
            let letters = tokio::time::timeout(Duration::from_secs(1), letters).await;
            if matches!(letters, Ok(Ok(1..))) {
                return true;
            }
            assert!(
                begun.elapsed() < limit,
                "neither dead nor buried: {letters:?}\n{}",
                log_of(&self.folder)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks the JetStream API.
    pub(crate) async fn jetstream(&self, verb: &str) -> String {
        self.ask(&format!("$JS.API.{verb}"), b"").await
    }

    /// Asks `movies.api.<verb>`; an error is its code and its words.
    pub(crate) async fn request(
        &self,
        verb: &str,
        request: &Value,
    ) -> Result<Value, (u16, String)> {
        // A process that has just begun may not serve it yet.
        let begun = Instant::now();
        let mut answer =
            self.ask(&format!("movies.api.{verb}"), request.to_string().as_bytes()).await;
        while answer.contains("NATS/1.0 503") && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer = self.ask(&format!("movies.api.{verb}"), request.to_string().as_bytes()).await;
        }
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
        Ok(serde_json::from_str(body).unwrap_or_else(|e| panic!("{verb}: {e}: {body}")))
    }

    /// A service alone, on this world's servers; it writes into the world's log.
    pub(crate) fn service(&self, args: &[&str], env: &[(&str, &str)]) -> Service {
        let log = std::fs::File::options().append(true).open(self.folder.0.join("up.log")).unwrap();
        let child = mangoes(&self.folder.0)
            .args(args)
            .envs([("NATS_URL", &self.nats_url), ("DATABASE_URL", &self.database_url)])
            .envs(env.iter().copied())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Service(child)
    }

    /// Messages in a stream.
    pub(crate) async fn messages(&self, stream: &str) -> i64 {
        let subject = format!("$JS.API.STREAM.INFO.{stream}");
        let answer = self.ask(&subject, b"").await;
        let info: Value =
            serde_json::from_str(answer.lines().find(|l| l.starts_with('{')).unwrap()).unwrap();
        info["state"]["messages"].as_i64().unwrap()
    }

    /// Publishes with an inbox for the answer; returns all that the server sent.
    async fn ask(&self, subject: &str, payload: &[u8]) -> String {
        request_raw(&self.nats_url, subject, payload).await
    }

    pub(crate) async fn one(&self, sql: &str) -> i64 {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_one(&self.pool)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
            .get(0)
    }

    pub(crate) async fn text(&self, sql: &str) -> String {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_one(&self.pool)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
            .get(0)
    }

    pub(crate) async fn execute(&self, sql: &str) {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&self.pool)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Where this world's files are: its folder, and the servers' where that is elsewhere.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let elsewhere = std::fs::read_to_string(self.folder.0.join("servers-are-in")).ok();
        [self.folder.0.clone()]
            .into_iter()
            .chain(elsewhere.map(|p| PathBuf::from(p.trim())))
            .collect()
    }

    /// Whether the program has not ended.
    pub(crate) fn child_runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What the program wrote so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.0.join("up.log")).unwrap_or_default()
    }

    /// Waits until the count is as expected.
    pub(crate) async fn until(&self, sql: &str, expected: i64) {
        let begun = Instant::now();
        loop {
            let now = self.one(sql).await;
            if now == expected {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{sql} is {now}, not {expected}\n{}",
                log_of(&self.folder)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Runs a verb of the command line; returns what it printed.
    pub(crate) fn verb(&self, args: &[&str]) -> String {
        let done = mangoes(&self.folder.0).args(args).output().unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
        assert!(done.status.success(), "{args:?}: {text}\n{}", log_of(&self.folder));
        text
    }

    /// As `verb`, where it has to fail.
    pub(crate) fn verb_fails(&self, args: &[&str]) -> String {
        let done = mangoes(&self.folder.0).args(args).output().unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
        assert!(!done.status.success(), "{args:?} did not fail: {text}");
        text
    }

    /// kill -9; the folder stays.
    pub(crate) async fn kill(mut self) -> Folder {
        self.pool.close().await;
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, Folder(PathBuf::from("/nonexistent")))
    }

    /// SIGTERM; returns how long the drain took.
    pub(crate) async fn stop(mut self) -> (Folder, Duration) {
        self.pool.close().await;
        let begun = Instant::now();
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not stop:\n{}", log_of(&self.folder));
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(status.success(), "{status}:\n{}", log_of(&self.folder));
        (
            std::mem::replace(&mut self.folder, Folder(PathBuf::from("/nonexistent"))),
            begun.elapsed(),
        )
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn log_of(folder: &Folder) -> String {
    let text = std::fs::read_to_string(folder.0.join("up.log")).unwrap_or_default();
    text.lines().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// Sends a command and reads until the answer is whole.
async fn talk(nats_url: &str, command: &str, payload: &[u8], awaited: &str) -> String {
    let (address, login) = nats_login(nats_url);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let connect = format!("{{\"verbose\":false,\"headers\":true,\"no_responders\":true,{login}}}");
    let mut bytes = format!("CONNECT {connect}\r\n{command}").into_bytes();
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(b"\r\nPING\r\n");
    stream.write_all(&bytes).await.unwrap();
    let begun = Instant::now();
    let mut seen = Vec::new();
    let whole = |seen: &[u8]| {
        let text = String::from_utf8_lossy(seen);
        let Some((_, rest)) = text.split_once(awaited) else { return false };
        // MSG and HMSG name their length last.
        awaited == "PONG"
            || rest.split_once("\r\n").is_some_and(|(line, body)| {
                let length: usize = line.rsplit(' ').next().unwrap_or_default().parse().unwrap();
                body.len() >= length + 2
            })
    };
    while !whole(&seen) {
        assert!(
            begun.elapsed() < PATIENCE,
            "NATS did not answer: {}",
            String::from_utf8_lossy(&seen)
        );
        stream.readable().await.unwrap();
        let mut part = [0; 4096];
        if let Ok(n) = stream.try_read(&mut part) {
            seen.extend_from_slice(&part[..n]);
        }
    }
    String::from_utf8_lossy(&seen).into_owned()
}

/// Publishes with an inbox for the answer; returns all that the server sent.
pub(crate) async fn request_raw(nats_url: &str, subject: &str, payload: &[u8]) -> String {
    talk(
        nats_url,
        &format!("SUB answer 1\r\nPUB {subject} answer {}\r\n", payload.len()),
        payload,
        "MSG answer",
    )
    .await
}
