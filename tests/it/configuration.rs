//! Bad configuration: one sentence with the remedy, exit code 1 or 2, within 10 s, no backtrace.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::world::{Folder, PATIENCE, mangoes};

/// Environment, arguments, and a word that the sentence must have.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a str);

fn each_gets_a_sentence(folder: &Folder, cases: &[Case<'_>]) {
    for (env, args, words) in cases {
        let mut command = mangoes(&folder.0);
        let begun = Instant::now();
        let done = command.envs(env.iter().copied()).args(*args).output().unwrap();
        let text = String::from_utf8_lossy(&done.stderr);
        assert!(begun.elapsed() < Duration::from_secs(10), "{env:?} took {:?}", begun.elapsed());
        assert!(matches!(done.status.code(), Some(1 | 2)), "{env:?}: {:?} {text}", done.status);
        let sentence = text
            .lines()
            .find(|l| l.starts_with("mangoes: "))
            .unwrap_or_else(|| panic!("{env:?}: {text}"));
        assert!(sentence.contains(words), "{env:?}: {sentence}");
        assert!(
            !text.contains("sesame") && !text.contains("backtrace") && !text.contains("panicked"),
            "{env:?}: {text}"
        );
    }
}

#[test]
fn what_is_malformed_or_busy() {
    let folder = Folder::new("configuration");
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = busy.local_addr().unwrap().to_string();
    each_gets_a_sentence(
        &folder,
        &[
            (&[], &["up"], "TMDB_TOKEN"),
            (&[("NATS_URL", "nats://127.0.0.1:1")], &["up", "--demo"], "NATS_URL"),
            (
                &[("DATABASE_URL", "postgres://u:sesame@127.0.0.1:1/d")],
                &["up", "--demo"],
                "DATABASE_URL",
            ),
            (&[("DATABASE_URL", "mysql://u:sesame@h/d")], &["up", "--demo"], "DATABASE_URL"),
            (&[("NATS_URL", "127.0.0.1")], &["up", "--demo"], "NATS_URL"),
            (&[("MANGOES_LISTEN", &busy)], &["up", "--demo"], "MANGOES_LISTEN"),
            (&[("MANGOES_DATA_DIR", "/dev/null/data")], &["up", "--demo"], "MANGOES_DATA_DIR"),
            (&[("TMDB_RATE", "fast")], &["up", "--demo"], "TMDB_RATE"),
            (&[("TMDB_TOKEN", "sesame")], &["up"], "TMDB"),
            (&[], &["jobs", "list"], "DATABASE_URL"),
        ],
    );
}

#[test]
fn the_version_names_its_commit() {
    let folder = Folder::new("version");
    let done = mangoes(&folder.0).arg("--version").output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = commit
        .ok()
        .filter(|git| git.status.success())
        .map(|git| String::from_utf8_lossy(&git.stdout).trim().to_owned());
    let commit = commit.unwrap_or_else(|| "unknown commit".to_owned());
    assert_eq!(text.trim(), format!("mangoes {} ({commit})", env!("CARGO_PKG_VERSION")));
}

/// Containers are stopped by SIGTERM: nobody has to wait for the simulator, whatever its clients
/// do.
#[test]
fn the_simulator_ends_at_once_when_it_is_stopped() {
    let folder = Folder::new("sim-stop");
    let mut sim = mangoes(&folder.0);
    let mut sim =
        sim.args(["tmdb-sim", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(sim.stdout.take().unwrap()),
        &mut line,
    )
    .unwrap();
    let host = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let _idle = std::net::TcpStream::connect(host).unwrap();
    let begun = Instant::now();
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&sim),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    assert!(
        sim.wait().unwrap().success() && begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}

/// Servers that answer, and say no.
#[tokio::test]
async fn what_is_refused() {
    let folder = Folder::new("refused");
    let options =
        embedded::Options { data_dir: folder.0.join("servers"), nats_port: None, durable: false };
    let postgres = embedded::Postgres::start(&options).await.unwrap();
    let right = postgres.database_url();
    let (user, host) = (right.split(':').nth(1).unwrap(), right.split('@').nth(1).unwrap());
    let wrong = format!("postgres:{user}:sesame@{host}");
    let nats = ClosedNats::start().await;
    let sim = tmdb_sim::Sim::start(tmdb_sim::Options {
        credential: Some("right".to_owned()),
        ..Default::default()
    })
    .await
    .unwrap();
    let base = sim.base_url();
    tokio::task::spawn_blocking(move || {
        each_gets_a_sentence(
            &folder,
            &[
                (&[("DATABASE_URL", &wrong)], &["up", "--demo"], "DATABASE_URL"),
                (&[("NATS_URL", &nats.url)], &["up", "--demo"], "NATS_URL"),
                (&[("TMDB_BASE_URL", &base), ("TMDB_TOKEN", "sesame")], &["up"], "TMDB_TOKEN"),
            ],
        );
        folder
    })
    .await
    .unwrap();
    sim.stop().await;
    postgres.stop().await.unwrap();
}

/// A user who may not publish everything is told so at the start: later it would look like a slow
/// broker.
#[tokio::test]
async fn a_missing_permission_is_told_at_the_start() {
    let folder = Folder::new("permission");
    let options =
        embedded::Options { data_dir: folder.0.join("servers"), nats_port: None, durable: false };
    let postgres = embedded::Postgres::start(&options).await.unwrap();
    let user = r#"{user: ann, password: right, permissions: {publish: {deny: "movies.refreshed.>"}, subscribe: ">"}}"#;
    let rules = format!("jetstream {{}}\nauthorization {{ users = [ {user} ] }}\n");
    std::fs::write(folder.0.join("rules.conf"), rules).unwrap();
    let config = folder.0.join("rules.conf").display().to_string();
    let store = folder.0.join("js").display().to_string();
    let nats = ClosedNats::start_with(&["-c", &config, "-sd", &store]).await;
    let mut command = crate::world::mangoes(&folder.0);
    let done = command
        .args(["serve", "scheduler"])
        .env("NATS_URL", nats.url.replace("sesame", "right"))
        .env("DATABASE_URL", postgres.database_url())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(
        !done.status.success()
            && told.contains("movies.refreshed.0 was not confirmed")
            && told.contains("may this user publish"),
        "{told}"
    );
    postgres.stop().await.unwrap();
}

/// A broker with a password.
struct ClosedNats {
    child: Child,
    url: String,
}

impl ClosedNats {
    async fn start() -> Self {
        Self::start_with(&["--user", "ann", "--pass", "right"]).await
    }

    async fn start_with(args: &[&str]) -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let program = embedded::nats_server(Path::new(".mangoes")).unwrap();
        let child = Command::new(program)
            .args(["-a", "127.0.0.1", "-p", &port])
            .args(args)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "nats-server does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { child, url: format!("nats://ann:sesame@127.0.0.1:{port}") }
    }
}

impl Drop for ClosedNats {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
