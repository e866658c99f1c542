//! Bad configuration: one sentence with the remedy, exit code 1 or 2, within 10 s, no backtrace.

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tests::{Folder, Said, eventually, mangoes, postgres};

/// Settings and arguments that cannot work, and a word that the sentence must have.
struct Case<'a> {
    env: &'a [(&'a str, &'a str)],
    args: &'a [&'a str],
    word: &'a str,
}

const fn case<'a>(env: &'a [(&'a str, &'a str)], args: &'a [&'a str], word: &'a str) -> Case<'a> {
    Case { env, args, word }
}

const DEMO: &[&str] = &["up", "--demo"];

fn each_gets_a_sentence(folder: &Folder, cases: &[Case<'_>]) {
    for Case { env, args, word } in cases {
        let begun = Instant::now();
        let mut command = mangoes(&folder.0);
        let said = Said::by(command.envs(env.iter().copied()).args(*args));
        let text = said.errors;
        assert!(begun.elapsed() < Duration::from_secs(10), "{env:?} took {:?}", begun.elapsed());
        assert!(matches!(said.code, Some(1 | 2)), "{env:?}: {:?} {text}", said.code);
        let sentence = text
            .lines()
            .find(|l| l.starts_with("mangoes: "))
            .unwrap_or_else(|| panic!("{env:?}: {text}"));
        assert!(sentence.contains(word), "{env:?}: {sentence}");
        for unwanted in ["sesame", "backtrace", "panicked"] {
            assert!(!text.contains(unwanted), "{env:?}: {text}");
        }
    }
}

/// A setting that has another form than it should, or an address that another has.
#[test]
fn what_is_malformed_or_busy() {
    let folder = Folder::new("configuration");
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = busy.local_addr().unwrap().to_string();
    let nobody = "postgres://u:sesame@127.0.0.1:1/d";
    each_gets_a_sentence(
        &folder,
        &[
            case(&[], &["up"], "TMDB_TOKEN"),
            case(&[("NATS_URL", "nats://127.0.0.1:1")], DEMO, "NATS_URL"),
            case(&[("DATABASE_URL", nobody)], DEMO, "DATABASE_URL"),
            case(&[("DATABASE_URL", "mysql://u:sesame@h/d")], DEMO, "DATABASE_URL"),
            case(&[("NATS_URL", "127.0.0.1")], DEMO, "NATS_URL"),
            case(&[("MANGOES_LISTEN", &busy)], DEMO, "MANGOES_LISTEN"),
            case(&[("MANGOES_DATA_DIR", "/dev/null/data")], DEMO, "MANGOES_DATA_DIR"),
            case(&[("TMDB_RATE", "fast")], DEMO, "TMDB_RATE"),
            case(&[("TMDB_TOKEN", "sesame")], &["up"], "TMDB"),
            case(&[], &["jobs", "list"], "DATABASE_URL"),
        ],
    );
}

/// `--version` names the commit that was built.
#[test]
fn the_version_names_its_commit() {
    let folder = Folder::new("version");
    let text = Said::by(mangoes(&folder.0).arg("--version")).text;
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
    BufReader::new(sim.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let host = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let _idle = TcpStream::connect(host).unwrap();
    let begun = Instant::now();
    let pid = rustix::process::Pid::from_child(&sim);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
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
    let postgres = postgres(&folder).await;
    let right = postgres.database_url();
    let (user, host) = (right.split(':').nth(1).unwrap(), right.split('@').nth(1).unwrap());
    let wrong = format!("postgres:{user}:sesame@{host}");
    let nats = ClosedNats::start().await;
    let options =
        tmdb_sim::Options { credential: Some("right".to_owned()), ..tmdb_sim::Options::default() };
    let sim = tmdb_sim::Sim::start(options).await.unwrap();
    let base = sim.base_url();
    tokio::task::spawn_blocking(move || {
        each_gets_a_sentence(
            &folder,
            &[
                case(&[("DATABASE_URL", &wrong)], DEMO, "DATABASE_URL"),
                case(&[("NATS_URL", &nats.url)], DEMO, "NATS_URL"),
                case(&[("TMDB_BASE_URL", &base), ("TMDB_TOKEN", "sesame")], &["up"], "TMDB_TOKEN"),
            ],
        );
        folder
    })
    .await
    .unwrap();
    sim.stop().await;
    postgres.stop().await.unwrap();
}

/// A user who may not publish everything learns it at the start: later it would look like a slow
/// broker.
#[tokio::test]
async fn a_missing_permission_is_told_at_the_start() {
    let folder = Folder::new("permission");
    let postgres = postgres(&folder).await;
    let rules = r#"jetstream {}
authorization {
    users = [{
        user: ann, password: right,
        permissions: {publish: {deny: "movies.refreshed.>"}, subscribe: ">"}
    }]
}
"#;
    std::fs::write(folder.0.join("rules.conf"), rules).unwrap();
    let config = folder.0.join("rules.conf").display().to_string();
    let store = folder.0.join("js").display().to_string();
    let nats = ClosedNats::start_with(&["-c", &config, "-sd", &store]).await;
    let mut command = mangoes(&folder.0);
    let said = Said::by(
        command
            .args(["serve", "scheduler"])
            .env("NATS_URL", nats.url.replace("sesame", "right"))
            .env("DATABASE_URL", postgres.database_url()),
    );
    assert!(
        !said.succeeded()
            && said.errors.contains("movies.refreshed.0 was not confirmed")
            && said.errors.contains("may this user publish"),
        "{}",
        said.errors
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
        let connect = async || TcpStream::connect(format!("127.0.0.1:{port}"));
        eventually("nats-server answers", connect, Result::is_ok).await.unwrap();
        Self { child, url: format!("nats://ann:sesame@127.0.0.1:{port}") }
    }
}

impl Drop for ClosedNats {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
