//! A `nats-server` child process with JetStream.
//!
//! Its settings are `nats/server.conf`, the same file that compose uses, and a password: whoever
//! else has an account on this machine could otherwise hold jobs and delete streams. The password
//! is made once and kept in `nats.password`; the server reads it from its settings, both for their
//! owner alone.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{fs, io};

use rustix::process::Signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::binaries::Search;
use crate::child::{Child, Launch, clear_previous};
use crate::place::{Log, Place, telling_line};
use crate::{EmbeddedError, Options, START_LIMIT, free_port, random_hex};

const SETTINGS: &str = include_str!("../../../nats/server.conf");
const SERVER: &str = "nats-server";
const CLUSTER: &str = "mangoes";
/// How long to wait between two looks at a starting server.
const POLL: Duration = Duration::from_millis(10);

/// Who clients are.
const USER: &str = "mangoes";
/// Bytes of randomness in a password.
const PASSWORD_BYTES: usize = 24;

/// A server's part in a cluster.
#[derive(Debug, Clone)]
pub struct Member {
    /// The same at every start and unlike the others': its peers know it by that.
    pub name: String,
    /// Where it listens for its peers, on loopback.
    pub port: u16,
    /// Where its peers listen.
    pub peers: Vec<u16>,
    /// Of clients and of peers, the same for all servers: letters and digits.
    pub password: String,
}

impl Member {
    /// Clients are not told of the other servers: they know those that they were given.
    fn settings(&self) -> String {
        let Self { port, password, .. } = self;
        let route = |port: &u16| format!("\"nats://{USER}:{password}@127.0.0.1:{port}\"");
        let routes: Vec<String> = self.peers.iter().map(route).collect();
        format!(
            "cluster {{\n  name: {CLUSTER}\n  listen: \"127.0.0.1:{port}\"\n  no_advertise: true\n  {}  routes: [{}]\n}}\n",
            authorization(password),
            routes.join(", ")
        )
    }
}

/// Letters and digits for [`Member::password`].
///
/// # Errors
/// When the system gives no random bytes.
pub fn new_password() -> Result<String, EmbeddedError> {
    random_hex(PASSWORD_BYTES)
}

/// A running `nats-server`. Dropping it asks the process to end; [`Nats::stop`] also waits for
/// that.
#[derive(Debug)]
pub struct Nats {
    child: Child,
    program: PathBuf,
    port: u16,
    place: Place,
    member: Option<Member>,
    password: String,
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

    /// Like [`Nats::start`], with other places to look for the binary.
    pub(crate) async fn start_found(
        options: &Options,
        search: &Search,
        member: Option<Member>,
    ) -> Result<Self, EmbeddedError> {
        let found = search.nats()?;
        let place = Place::take(&options.data_dir, "nats")?;
        let program = reachable(&found, &place)?;
        let password = match &member {
            Some(member) => member.password.clone(),
            None => kept_password(&place)?,
        };
        let text = settings_text(options.durable)
            + &authorization(&password)
            + &member.as_ref().map_or_else(String::new, Member::settings);
        place.write_private("nats.conf", &text)?;
        let deadline = Instant::now() + START_LIMIT;
        let mut port = match options.nats_port {
            Some(port) if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() => port,
            Some(_) | None => free_port()?,
        };
        loop {
            match launch(&program, &place, (port, member.as_ref()), deadline).await {
                Ok(child) => return Ok(Self { child, program, port, place, member, password }),
                // Somebody took the port between our look and the server's.
                Err(error) if is_port_taken(&error) && Instant::now() < deadline => {
                    port = free_port()?
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Where clients connect: `nats://mangoes:PASSWORD@127.0.0.1:PORT`.
    pub fn nats_url(&self) -> String {
        format!("nats://{USER}:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// The process id of the server.
    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// Where the server writes its log.
    pub fn log(&self) -> PathBuf {
        self.place.join("nats.log")
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
    /// Like [`Nats::start`]; also when somebody else took the port meanwhile.
    pub async fn restart(&mut self) -> Result<(), EmbeddedError> {
        self.child.stop().await?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match launch(&self.program, &self.place, (self.port, self.member.as_ref()), deadline)
                .await
            {
                Ok(child) => {
                    self.child = child;
                    return Ok(());
                }
                // A client's half-closed connection can hold the port for a moment.
                Err(error) if is_port_taken(&error) && Instant::now() < deadline => {
                    sleep(POLL * 10).await
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
        let store = self.place.join("nats");
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

/// One attempt: starts the process and waits until it is ready.
async fn launch(
    program: &Path,
    place: &Place,
    (port, member): (u16, Option<&Member>),
    deadline: Instant,
) -> Result<Child, EmbeddedError> {
    let store = place.join("nats");
    let pid_file = place.join("nats.pid");
    clear_previous(SERVER, &pid_file, &store, Signal::TERM).await?;
    place.account.own_dir(&store)?;
    let log = place.open_log("nats.log")?;
    // A name nobody else has, so that a server of somebody else on this port is not taken for ours.
    let name = member.map_or_else(
        || random_hex(4).map(|hex| format!("mangoes-{hex}")),
        |m| Ok(m.name.clone()),
    )?;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let flags = [
        "-c",
        &text(place.join("nats.conf")),
        "-a",
        "127.0.0.1",
        "-p",
        &port.to_string(),
        "-sd",
        &text(store),
        "-n",
        &name,
    ];
    let args = flags.map(str::to_owned).to_vec();
    let log_file = log.file.try_clone().map_err(EmbeddedError::file("open", &log.path))?;
    let (program, account, stop_signal) = (program.to_owned(), place.account, Signal::TERM);
    let mut child =
        Child::start(Launch { name: SERVER, program, args, account, log: log_file, stop_signal })
            .await?;
    fs::write(&pid_file, format!("{}\n", child.pid()))
        .map_err(EmbeddedError::file("write", &pid_file))?;
    match ready(&child, port, &name, deadline, &log).await {
        Ok(()) => Ok(child),
        Err(error) => {
            child.kill().await?;
            Err(error)
        }
    }
}

/// Waits until the server of that name greets on `port` and says that JetStream is on.
async fn ready(
    child: &Child,
    port: u16,
    name: &str,
    deadline: Instant,
    log: &Log,
) -> Result<(), EmbeddedError> {
    while Instant::now() < deadline {
        if child.has_ended() {
            let said = telling_line(&log.text());
            return Err(EmbeddedError::Ended { server: SERVER, said, log: log.path.clone() });
        }
        if let Ok(Ok(info)) = tokio::time::timeout(Duration::from_secs(1), greeting(port)).await
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

/// What a NATS server says to a new client.
async fn greeting(port: u16) -> io::Result<Value> {
    let mut line = String::new();
    BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?)
        .read_line(&mut line)
        .await?;
    let info = line.strip_prefix("INFO ").unwrap_or_default();
    serde_json::from_str(info).map_err(io::Error::from)
}

fn is_port_taken(error: &EmbeddedError) -> bool {
    matches!(error, EmbeddedError::Ended { said, .. } if said.contains("address already in use"))
}

/// What the server is told of its clients' name and password.
fn authorization(password: &str) -> String {
    format!("authorization {{ user: {USER}, password: \"{password}\" }}\n")
}

/// The password of this place's server, made at the first start.
fn kept_password(place: &Place) -> Result<String, EmbeddedError> {
    let path = place.join("nats.password");
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(EmbeddedError::file("read", &path)(error));
        }
        Ok(_) | Err(_) => {}
    }
    let password = new_password()?;
    place.write_private("nats.password", &format!("{password}\n"))?;
    Ok(password)
}

/// The settings file; without the costly sync to the disk when nothing needs to survive a power
/// failure.
fn settings_text(durable: bool) -> String {
    let keep = |line: &&str| durable || !line.trim_start().starts_with("sync_interval");
    SETTINGS.lines().filter(keep).flat_map(|line| [line, "\n"]).collect()
}

/// The binary itself, or a copy in `place` when the server's user cannot reach it.
fn reachable(found: &Path, place: &Place) -> Result<PathBuf, EmbeddedError> {
    let real = found.canonicalize().map_err(EmbeddedError::file("read", found))?;
    if place.account.reaches(found) && place.account.reaches(&real) {
        return Ok(found.to_owned());
    }
    let copy = place.join("nats-server");
    let size = |path: &Path| fs::metadata(path).map(|meta| (meta.len(), meta.modified().ok()));
    let same = size(&copy).is_ok_and(|(len, at)| {
        size(&real).is_ok_and(|(wanted, since)| len == wanted && at >= since)
    });
    if !same {
        // By way of a second name: a running program cannot be overwritten. By `cp`: a file this
        // process has open for writing may be inherited by a child it starts at the same moment,
        // and could not be run until that is gone.
        let fresh = place.join("nats-server.new");
        let copied = Command::new("cp").args([&real, &fresh]).status().and_then(|status| {
            match status.success() {
                true => fs::rename(&fresh, &copy),
                false => Err(io::Error::other("cp failed")),
            }
        });
        copied.map_err(EmbeddedError::file("write", &copy))?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&copy, mode).map_err(EmbeddedError::file("write", &copy))?;
    }
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_durable_servers_sync_always() {
        assert!(settings_text(true).lines().any(|line| line.trim() == "sync_interval: always"));
        assert!(!settings_text(false).contains("\n  sync_interval"));
    }
}
