//! A `nats-server` child process with JetStream.
//!
//! It has a password, because anybody else with an account on this machine could otherwise hold
//! jobs and delete streams. The password is made once and kept in `nats.password`; the server reads
//! it from `nats.conf`. Only their owner may read these files.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::{
    binaries::Search,
    child::{Child, Launch, clear_previous},
    data_dir::ServerDir,
    error::EmbeddedError,
    log::{Log, telling_line},
    nats_settings::{Member, USER, kept_password, settings},
    options::{Options, START_LIMIT},
    system::{free_port, random_hex},
};

const SERVER: &str = "nats-server";
/// How long to wait between two looks at a starting server.
const POLL: Duration = Duration::from_millis(10);
/// How long a server may take to greet a client.
const GREETING_LIMIT: Duration = Duration::from_secs(1);

/// A running `nats-server`. Dropping it asks the process to end; [`Nats::stop`] also waits for
/// that.
#[derive(Debug)]
pub struct Nats {
    child: Child,
    run: Run,
    password: String,
}

/// What one run of the server needs.
#[derive(Debug)]
struct Run {
    program: PathBuf,
    dir: ServerDir,
    port: u16,
    member: Option<Member>,
}

impl Nats {
    /// Starts the server and waits until it answers, on the preferred port if that is free.
    ///
    /// # Errors
    /// Within 10 s: no usable binary, the data directory is in use or not writable, the server does
    /// not come up.
    pub async fn start(options: &Options) -> Result<Self, EmbeddedError> {
        Self::start_found(options, &Search::usual(&options.data_dir), None).await
    }

    /// Like [`Nats::start`], for one server of a cluster, each in a data directory of its own. It
    /// answers before the cluster has a leader.
    ///
    /// # Errors
    /// Like [`Nats::start`].
    pub async fn start_member(options: &Options, member: Member) -> Result<Self, EmbeddedError> {
        Self::start_found(options, &Search::usual(&options.data_dir), Some(member)).await
    }

    /// Like [`Nats::start`], with other folders to look for the binary.
    pub(crate) async fn start_found(
        options: &Options,
        search: &Search,
        member: Option<Member>,
    ) -> Result<Self, EmbeddedError> {
        let found = search.nats()?;
        let dir = ServerDir::take(&options.data_dir, "nats")?;
        let program = reachable(&found, &dir)?;
        let password = match &member {
            Some(member) => member.password.clone(),
            None => kept_password(&dir)?,
        };
        let text = settings(options.durable, &password, member.as_ref());
        dir.write_private("nats.conf", &text)?;
        let port = match options.nats_port {
            Some(port) if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() => port,
            Some(_) | None => free_port()?,
        };
        let mut run = Run { program, dir, port, member };
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match run.launch(deadline).await {
                Ok(child) => return Ok(Self { child, run, password }),
                // Another program took the port between our look and the server's.
                Err(error) if is_port_taken(&error) && Instant::now() < deadline => {
                    run.port = free_port()?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The address for clients: `nats://mangoes:PASSWORD@127.0.0.1:PORT`.
    pub fn nats_url(&self) -> String {
        format!("nats://{USER}:{}@127.0.0.1:{}", self.password, self.run.port)
    }

    /// The process id of the server.
    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// The file that the server writes its log to.
    pub fn log(&self) -> PathBuf {
        self.run.dir.join("nats.log")
    }

    /// Kills the server as a crash would; nothing that was acknowledged is lost.
    ///
    /// # Errors
    /// The process survives SIGKILL for seconds.
    pub async fn kill(&mut self) -> Result<(), EmbeddedError> {
        self.child.kill().await
    }

    /// Starts the server again on the same port and store; stops it first if it runs.
    ///
    /// # Errors
    /// Like [`Nats::start`]; also when another program took the port meanwhile.
    pub async fn restart(&mut self) -> Result<(), EmbeddedError> {
        self.child.stop().await?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match self.run.launch(deadline).await {
                Ok(child) => {
                    self.child = child;
                    return Ok(());
                }
                // A client's half-closed connection can hold the port for a moment.
                Err(error) if is_port_taken(&error) && Instant::now() < deadline => {
                    sleep(POLL * 10).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Kills the server and deletes all its streams; [`Nats::restart`] then starts an empty one.
    ///
    /// # Errors
    /// The process or its files cannot be removed.
    pub async fn delete_store(&mut self) -> Result<(), EmbeddedError> {
        self.child.kill().await?;
        let store = self.run.dir.join("nats");
        fs::remove_dir_all(&store).map_err(EmbeddedError::file("delete", &store))
    }

    /// Ends the server in order and waits until it is gone.
    ///
    /// # Errors
    /// The process survives SIGKILL for seconds.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        self.child.stop().await
    }
}

impl Run {
    /// One attempt: starts the process and waits until it is ready.
    async fn launch(&self, deadline: Instant) -> Result<Child, EmbeddedError> {
        let store = self.dir.join("nats");
        let pid_file = self.dir.join("nats.pid");
        clear_previous(SERVER, &pid_file, &store, Signal::TERM).await?;
        self.dir.account.own_dir(&store)?;
        let log = self.dir.open_log("nats.log")?;
        let name = self.name()?;
        let mut child = Child::start(Launch {
            name: SERVER,
            program: self.program.clone(),
            args: self.args(&name),
            account: self.dir.account,
            log: log.file.try_clone().map_err(EmbeddedError::file("open", &log.path))?,
            stop_signal: Signal::TERM,
        })
        .await?;
        fs::write(&pid_file, format!("{}\n", child.pid()))
            .map_err(EmbeddedError::file("write", &pid_file))?;
        match self.ready(&child, &name, deadline, &log).await {
            Ok(()) => Ok(child),
            Err(error) => {
                child.kill().await?;
                Err(error)
            }
        }
    }

    /// A name that no other server has, so that a foreign server on this port is not taken for
    /// ours.
    fn name(&self) -> Result<String, EmbeddedError> {
        match &self.member {
            Some(member) => Ok(member.name.clone()),
            None => Ok(format!("mangoes-{}", random_hex(4)?)),
        }
    }

    fn args(&self, name: &str) -> Vec<String> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let flags = [
            ["-c", &text(self.dir.join("nats.conf"))],
            ["-a", "127.0.0.1"],
            ["-p", &self.port.to_string()],
            ["-sd", &text(self.dir.join("nats"))],
            ["-n", name],
        ];
        flags.as_flattened().iter().map(|word| (*word).to_owned()).collect()
    }

    /// Waits until the server of that name greets on its port and says that JetStream is on.
    async fn ready(
        &self,
        child: &Child,
        name: &str,
        deadline: Instant,
        log: &Log,
    ) -> Result<(), EmbeddedError> {
        while Instant::now() < deadline {
            if child.has_ended() {
                let said = telling_line(&log.text());
                return Err(EmbeddedError::Ended { server: SERVER, said, log: log.path.clone() });
            }
            if let Ok(Ok(info)) = timeout(GREETING_LIMIT, greeting(self.port)).await
                && info.get("server_name").and_then(Value::as_str) == Some(name)
                && info.get("jetstream").and_then(Value::as_bool) == Some(true)
            {
                return Ok(());
            }
            sleep(POLL).await;
        }
        Err(EmbeddedError::Silent {
            server: SERVER,
            secs: START_LIMIT.as_secs(),
            log: log.path.clone(),
        })
    }
}

/// What a NATS server says to a new client.
async fn greeting(port: u16) -> io::Result<Value> {
    let mut line = String::new();
    BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?)
        .read_line(&mut line)
        .await?;
    let info = line.strip_prefix("INFO ").unwrap_or_default();
    serde_json::from_str(info).map_err(io::Error::from)
}

/// The server has no exit status of its own for this, only its log line.
fn is_port_taken(error: &EmbeddedError) -> bool {
    matches!(error, EmbeddedError::Ended { said, .. } if said.contains("address already in use"))
}

/// The binary itself, or a copy in `dir` when the server's user cannot reach it.
fn reachable(found: &Path, dir: &ServerDir) -> Result<PathBuf, EmbeddedError> {
    let real = found.canonicalize().map_err(EmbeddedError::file("read", found))?;
    if dir.account.reaches(found) && dir.account.reaches(&real) {
        return Ok(found.to_owned());
    }
    let copy = dir.join("nats-server");
    let size = |path: &Path| fs::metadata(path).map(|meta| (meta.len(), meta.modified().ok()));
    let same = size(&copy).is_ok_and(|(len, at)| {
        size(&real).is_ok_and(|(wanted, since)| len == wanted && at >= since)
    });
    if !same {
        copy_program(&real, &copy, &dir.join("nats-server.new"))
            .map_err(EmbeddedError::file("write", &copy))?;
    }
    Ok(copy)
}

/// Copies by way of a second name, `fresh`: a running program cannot be overwritten. And by `cp`: a
/// file that this process has open for writing may be inherited by a child that it starts at the
/// same moment, and could not be run until that is gone.
fn copy_program(from: &Path, to: &Path, fresh: &Path) -> io::Result<()> {
    if !Command::new("cp").args([from, fresh]).status()?.success() {
        return Err(io::Error::other("cp failed"));
    }
    fs::rename(fresh, to)?;
    fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o755))
}
