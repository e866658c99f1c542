//! Starts the real servers; needs what `make setup` installs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::binaries::Search;
use crate::system::random_hex;
use crate::{EmbeddedError, Member, Nats, Options, Postgres, Servers, free_port};

/// Names the data directory in the child process of the orphan test.
const CHILD_DIR: &str = "MANGOES_EMBEDDED_TEST_DIR";

/// A data directory that is gone after the test.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        let dir = env::temp_dir().join(format!("mangoes-embedded-{}", random_hex(6).unwrap()));
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    fn options(&self) -> Options {
        Options { data_dir: self.0.clone(), nats_port: None, durable: false }
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if let Ok(elsewhere) = fs::read_to_string(self.0.join("servers-are-in")) {
            let _ = fs::remove_dir_all(elsewhere.trim());
        }
        // What cannot be deleted is left to the system: it is the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a process runs; a zombie does not.
fn runs(pid: i32) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
    match state {
        Ok(output) => !output.stdout.is_empty() && !output.stdout.starts_with(b"Z"),
        Err(_) => {
            fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
        }
    }
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what} did not happen");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Host and port of a server's address.
fn address(url: &str) -> &str {
    let rest = url.split("://").nth(1).unwrap();
    let rest = rest.rsplit('@').next().unwrap();
    rest.split('/').next().unwrap()
}

/// One line of NATS protocol from `lines`, which begins with `prefix`.
fn expect(lines: &mut impl BufRead, prefix: &str) -> std::io::Result<String> {
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line)? > 0, "connection closed before {prefix}");
        if line.starts_with(prefix) {
            return Ok(line);
        }
    }
}

/// Sends a request to the JetStream API and returns the answer.
fn jetstream(url: &str, subject: &str, body: &str) -> String {
    ask(url, subject, body).unwrap()
}

/// The same, of a cluster that may have no leader yet: then there is no answer.
fn ask(url: &str, subject: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address(url))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut lines = BufReader::new(stream.try_clone()?);
    expect(&mut lines, "INFO")?;
    let (user, password) = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('@')?.0.split_once(':'))
        .unwrap_or_default();
    let connect = serde_json::json!({
        "verbose": false, "pedantic": false, "lang": "test", "version": "0",
        "user": user, "pass": password,
    });
    write!(
        stream,
        "CONNECT {connect}\r\nSUB answer 1\r\nPUB {subject} answer {}\r\n{body}\r\n",
        body.len()
    )?;
    expect(&mut lines, "MSG")?;
    expect(&mut lines, "{")
}

/// Whether Postgres asks for a SCRAM login: it accepts clients.
fn postgres_answers(url: &str) -> bool {
    let mut stream = TcpStream::connect(address(url)).unwrap();
    let body = b"\0\x03\0\0user\0mangoes\0database\0mangoes\0\0";
    stream.write_all(&u32::try_from(body.len() + 4).unwrap().to_be_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = [0; 23];
    stream.read_exact(&mut answer).unwrap();
    answer[0] == b'R' && answer[9..].starts_with(b"SCRAM-SHA-256")
}

/// Runs SQL with `psql`; `None` where that is not installed.
fn sql(url: &str, text: &str) -> Option<String> {
    let psql = Search::usual(Path::new("/nowhere")).programs("psql").next()?;
    let output = Command::new(psql).args([url, "-XAtqc", text]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[tokio::test]
async fn second_run_goes_on_with_the_same_data() {
    let dir = TempDir::new();
    let servers = Servers::start(&dir.options()).await.unwrap();
    let first = (servers.nats.pid(), servers.postgres.pid());
    assert!(postgres_answers(&servers.database_url()));
    let created = jetstream(
        &servers.nats_url(),
        "$JS.API.STREAM.CREATE.KEPT",
        r#"{"name":"KEPT","subjects":["kept"]}"#,
    );
    assert!(created.contains("\"did_create\":true"), "{created}");
    sql(&servers.database_url(), "create table kept (id int); insert into kept values (7)");
    let superuser =
        sql(&servers.database_url(), "select rolsuper from pg_roles where rolname = current_user");
    assert!(superuser.is_none_or(|is| is == "f"));
    servers.stop().await.unwrap();
    assert!(!runs(first.0) && !runs(first.1), "stopped servers still run");

    let servers = Servers::start(&dir.options()).await.unwrap();
    assert!(
        jetstream(&servers.nats_url(), "$JS.API.STREAM.INFO.KEPT", "")
            .contains("\"name\":\"KEPT\"")
    );
    assert!(sql(&servers.database_url(), "select id from kept").is_none_or(|id| id == "7"));
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn killed_servers_restart_in_place() {
    let dir = TempDir::new();
    let mut servers = Servers::start(&dir.options()).await.unwrap();
    let urls = (servers.nats_url(), servers.database_url());
    jetstream(&urls.0, "$JS.API.STREAM.CREATE.KEPT", r#"{"name":"KEPT","subjects":["kept"]}"#);
    servers.nats.kill().await.unwrap();
    servers.postgres.kill().await.unwrap();
    servers.nats.restart().await.unwrap();
    servers.postgres.restart().await.unwrap();
    assert_eq!(urls, (servers.nats_url(), servers.database_url()));
    assert!(postgres_answers(&urls.1));
    assert!(jetstream(&urls.0, "$JS.API.STREAM.INFO.KEPT", "").contains("\"name\":\"KEPT\""));

    servers.nats.delete_store().await.unwrap();
    servers.postgres.delete_store().await.unwrap();
    servers.nats.restart().await.unwrap();
    servers.postgres.restart().await.unwrap();
    assert!(jetstream(&urls.0, "$JS.API.STREAM.INFO.KEPT", "").contains("stream not found"));
    assert!(postgres_answers(&servers.database_url()));
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn durable_servers_start_and_keep_the_password_private() {
    let dir = TempDir::new();
    let servers = Servers::start(&Options { durable: true, ..dir.options() }).await.unwrap();
    assert!(sql(&servers.database_url(), "show fsync").is_none_or(|fsync| fsync == "on"));
    let password = servers.postgres.log().with_file_name("postgres").join("password");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(password).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    servers.stop().await.unwrap();
}

#[tokio::test]
async fn one_directory_serves_one_run() {
    let dir = TempDir::new();
    let nats = Nats::start(&dir.options()).await.unwrap();
    let message = Nats::start(&dir.options()).await.unwrap_err().to_string();
    let expected = format!(
        "another mangoes is using {} (pid {})",
        dir.0.canonicalize().unwrap().display(),
        std::process::id()
    );
    assert!(message.starts_with(&expected), "{message}");
    nats.stop().await.unwrap();
    Nats::start(&dir.options()).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn busy_port_gives_another() {
    let dir = TempDir::new();
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nats_port = Some(busy.local_addr().unwrap().port());
    let nats = Nats::start(&Options { nats_port, ..dir.options() }).await.unwrap();
    assert_ne!(address(&nats.nats_url()), busy.local_addr().unwrap().to_string());
    nats.stop().await.unwrap();
}

#[tokio::test]
async fn missing_and_old_binaries_are_named() {
    let dir = TempDir::new();
    let nowhere = Search::only(Vec::new());
    let nats = Nats::start_found(&dir.options(), &nowhere, None).await.unwrap_err();
    assert!(matches!(nats, EmbeddedError::NoNats(_)) && nats.to_string().contains("make setup"));
    let postgres = Postgres::start_found(&dir.options(), &nowhere).await.unwrap_err();
    assert!(
        matches!(postgres, EmbeddedError::NoPostgres(_))
            && postgres.to_string().contains("make setup")
    );

    let old = dir.0.join("nats-server");
    // Written by another process: one that a parallel test starts now could inherit the open file,
    // and it would not run.
    let script = r#"printf '#!/bin/sh\necho nats-server: v2.9.10\n' > "$0" && chmod 755 "$0""#;
    assert!(Command::new("sh").args(["-c", script]).arg(&old).status().unwrap().success());
    let error = Nats::start_found(&dir.options(), &Search::only(vec![dir.0.clone()]), None)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is nats-server 2.9.10, mangoes needs >= 2.14"), "{error}");
}

#[tokio::test]
async fn unwritable_directory_is_named() {
    let dir = TempDir::new();
    let file = dir.0.join("file");
    fs::write(&file, "").unwrap();
    let error =
        Nats::start(&Options { data_dir: file.join("data"), ..dir.options() }).await.unwrap_err();
    assert!(error.to_string().contains("MANGOES_DATA_DIR"), "{error}");
}

/// Body of the child process of the next test; does nothing in an ordinary run.
#[tokio::test]
async fn child_that_holds_servers() {
    let Some(dir) = env::var_os(CHILD_DIR) else { return };
    let options = Options { data_dir: dir.into(), nats_port: None, durable: false };
    let servers = Servers::start(&options).await.unwrap();
    println!("\nholding {} {}", servers.nats.pid(), servers.postgres.pid());
    std::future::pending::<()>().await;
}

/// Starts servers in another process and kills that; returns the ids of the servers.
fn kill_a_holder(dir: &TempDir) -> Vec<i32> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "tests::child_that_holds_servers", "--nocapture"])
        .env(CHILD_DIR, &dir.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let held = expect(&mut lines, "holding").unwrap();
    let pids: Vec<i32> = held.split_whitespace().skip(1).map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| runs(*pid)));
    child.kill().unwrap();
    child.wait().unwrap();
    pids
}

/// The parent gets no chance to clean up; still nothing stays behind, and the directory stays
/// usable.
#[tokio::test]
async fn killed_parent_leaves_no_server() {
    let dir = TempDir::new();
    let pids = kill_a_holder(&dir);
    until("the end of the orphans", || !pids.iter().any(|pid| runs(*pid)));
    // The second time without waiting: the servers may still be ending.
    let pids = kill_a_holder(&dir);
    let servers = Servers::start(&dir.options()).await.unwrap();
    assert!(!pids.iter().any(|pid| runs(*pid)));
    servers.stop().await.unwrap();
}

/// Whoever else has an account on this machine reads no password, and is not let in without one.
#[tokio::test]
async fn nats_and_its_files_are_closed_to_others() {
    let dir = TempDir::new();
    let data_dir = dir.0.join(".mangoes");
    // As an earlier version, or a script, may have made it.
    fs::create_dir_all(data_dir.join("tools")).unwrap();
    fs::set_permissions(&data_dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let options = Options { data_dir: data_dir.clone(), nats_port: None, durable: false };
    let nats = Nats::start(&options).await.unwrap();
    let mode = |path: &Path| {
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
    };
    let server_dir = match fs::read_to_string(data_dir.join("servers-are-in")) {
        Ok(elsewhere) => PathBuf::from(elsewhere.trim()),
        Err(_) => data_dir.clone(),
    };
    for folder in [&data_dir, &server_dir] {
        assert_eq!(mode(folder) & 0o707, 0o700, "{}: {:o}", folder.display(), mode(folder));
    }
    for file in ["nats.conf", "nats.password", "nats.log"] {
        assert_eq!(mode(&server_dir.join(file)), 0o600, "{file}");
    }
    let url = nats.nats_url();
    assert!(jetstream(&url, "$JS.API.INFO", "").contains("\"memory\""));
    for stranger in
        [format!("nats://{}", address(&url)), format!("nats://mangoes:wrong@{}", address(&url))]
    {
        let mut stream = TcpStream::connect(address(&stranger)).unwrap();
        let (user, password) = if stranger.contains('@') { ("mangoes", "wrong") } else { ("", "") };
        write!(
            stream,
            "CONNECT {{\"verbose\":false,\"user\":\"{user}\",\"pass\":\"{password}\"}}\r\nPING\r\n"
        )
        .unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(
            said.contains("Authorization Violation") && !said.contains("PONG"),
            "{stranger}: {said}"
        );
    }
    let password = url.split(':').nth(2).unwrap().split('@').next().unwrap().to_owned();
    let arguments = fs::read(format!("/proc/{}/cmdline", nats.pid())).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&arguments).contains(&password));
    nats.stop().await.unwrap();
    let again = Nats::start(&options).await.unwrap();
    assert!(again.nats_url().contains(&password), "an exported NATS_URL stays right");
    again.stop().await.unwrap();
}

/// Three servers keep three copies: one that dies with its store takes nothing along.
#[tokio::test]
async fn a_cluster_survives_the_loss_of_one_store() {
    let dir = TempDir::new();
    let ports = [free_port().unwrap(), free_port().unwrap(), free_port().unwrap()];
    let start = |n: usize| {
        let options =
            Options { data_dir: dir.0.join(format!("n{n}")), nats_port: None, durable: false };
        let peers = ports.iter().copied().filter(|p| *p != ports[n]).collect();
        let member =
            Member { name: format!("n{n}"), port: ports[n], peers, password: "sesame".to_owned() };
        async move { Nats::start_member(&options, member).await.unwrap() }
    };
    let (mut one, two, three) = tokio::join!(start(0), start(1), start(2));
    let create = r#"{"name":"KEPT","subjects":["kept"],"num_replicas":3}"#;
    let says = |nats: &Nats, subject: &str, body: &str, text: &str| {
        ask(&nats.nats_url(), subject, body).is_ok_and(|answer| answer.contains(text))
    };
    let created = || says(&one, "$JS.API.STREAM.CREATE.KEPT", create, "\"name\":\"KEPT\"");
    until("a leader", created);
    assert!(jetstream(&one.nats_url(), "kept", "{}").contains("\"seq\":1"));
    one.delete_store().await.unwrap();
    let kept = |nats: &Nats| says(nats, "$JS.API.STREAM.INFO.KEPT", "", "\"messages\":1");
    until("the others go on", || kept(&two) && kept(&three));
    one.restart().await.unwrap();
    until("it is there again", || kept(&one));
    for nats in [one, two, three] {
        nats.stop().await.unwrap();
    }
}
