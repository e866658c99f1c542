//! A `postgres` child process with one database, which belongs to the role that clients connect as.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::{
    binaries::{PostgresBin, Search},
    child::{Child, Launch, clear_previous},
    data_dir::ServerDir,
    error::EmbeddedError,
    files::remove_dir,
    log::{Log, telling_line},
    options::{Options, START_LIMIT},
    postgres_cluster::{self, NAME},
    system::free_port,
};

const SERVER: &str = "Postgres";
/// How long to wait between two looks at a starting server.
const POLL: Duration = Duration::from_millis(10);
/// Settings of every server: reachable by TCP on this machine only.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=100",
    "shared_buffers=64MB",
    "timezone=UTC",
    "log_timezone=UTC",
];
/// Further settings where nothing needs to survive a power failure.
const CARELESS: [&str; 3] = ["fsync=off", "full_page_writes=off", "synchronous_commit=off"];

/// A running Postgres. Dropping it asks the process to end; [`Postgres::stop`] also waits for that.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    run: Run,
    password: String,
}

/// What one run of the server needs.
#[derive(Debug)]
struct Run {
    bin: PostgresBin,
    dir: ServerDir,
    port: u16,
    durable: bool,
    /// Settings of this server, `name=value`; they stand above [`SETTINGS`].
    settings: Vec<String>,
}

impl Postgres {
    /// Starts the server on a free port, after making its cluster if need be, and waits until it
    /// accepts clients.
    ///
    /// # Errors
    /// Within 10 s, or more the first time: no usable binary, the data directory is in use or not
    /// writable, the server does not come up.
    pub async fn start(options: &Options) -> Result<Self, EmbeddedError> {
        Self::start_found(options, &Search::usual(&options.data_dir)).await
    }

    /// Like [`Postgres::start`], with settings (`name=value`) that stand above the usual ones.
    ///
    /// # Errors
    /// Like [`Postgres::start`]; also when the server refuses a setting.
    pub async fn start_with(options: &Options, settings: &[&str]) -> Result<Self, EmbeddedError> {
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Self::start_set(options, &Search::usual(&options.data_dir), settings).await
    }

    /// Like [`Postgres::start`], with other folders to look for the binaries.
    pub(crate) async fn start_found(
        options: &Options,
        search: &Search,
    ) -> Result<Self, EmbeddedError> {
        Self::start_set(options, search, Vec::new()).await
    }

    async fn start_set(
        options: &Options,
        search: &Search,
        settings: Vec<String>,
    ) -> Result<Self, EmbeddedError> {
        // Before anything is written: a machine without Postgres gets that answer and no folder.
        search.postgres(&options.data_dir.join("postgres/data"))?;
        let dir = ServerDir::take(&options.data_dir, "postgres")?;
        let bin = search.postgres(&dir.join("postgres/data"))?;
        let password = postgres_cluster::ensure(&bin, &dir, options.durable).await?;
        let mut run = Run { bin, dir, port: free_port()?, durable: options.durable, settings };
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match run.launch(deadline).await {
                Ok(child) => return Ok(Self { child, run, password }),
                Err(error) if is_passing(&error) && Instant::now() < deadline => {
                    sleep(POLL * 10).await;
                    run.port = free_port()?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The address for clients: `postgres://mangoes:PASSWORD@127.0.0.1:PORT/mangoes`.
    pub fn database_url(&self) -> String {
        format!("postgres://{NAME}:{}@127.0.0.1:{}/{NAME}", self.password, self.run.port)
    }

    /// The process id of the server.
    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// The folder of the server's programs, which has `pg_dump` and `psql` beside it.
    pub fn programs(&self) -> &Path {
        &self.run.bin.dir
    }

    /// The file that the server writes its log to.
    pub fn log(&self) -> PathBuf {
        self.run.dir.join("postgres.log")
    }

    /// Kills the server as a crash would; the next start recovers what was committed.
    ///
    /// # Errors
    /// The process survives SIGKILL for seconds.
    pub async fn kill(&mut self) -> Result<(), EmbeddedError> {
        self.child.kill().await
    }

    /// Starts the server again on the same port and data; stops it first if it runs.
    ///
    /// # Errors
    /// Like [`Postgres::start`]; also when another program took the port meanwhile.
    pub async fn restart(&mut self) -> Result<(), EmbeddedError> {
        self.child.stop().await?;
        self.password =
            postgres_cluster::ensure(&self.run.bin, &self.run.dir, self.run.durable).await?;
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match self.run.launch(deadline).await {
                Ok(child) => {
                    self.child = child;
                    return Ok(());
                }
                Err(error) if is_passing(&error) && Instant::now() < deadline => {
                    sleep(POLL * 10).await
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Kills the server and deletes its cluster; [`Postgres::restart`] then starts an empty one,
    /// with a new password: ask for [`Postgres::database_url`] again.
    ///
    /// # Errors
    /// The process or its files cannot be removed.
    pub async fn delete_store(&mut self) -> Result<(), EmbeddedError> {
        self.child.kill().await?;
        remove_dir(&self.run.dir.join("postgres"))
    }

    /// Ends the server in order, closing its connections, and waits until it is gone.
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
        let data = self.dir.join("postgres/data");
        clear_previous(SERVER, &data.join("postmaster.pid"), &data, Signal::INT).await?;
        let log = self.dir.open_log("postgres.log")?;
        let mut args = vec![
            "-D".to_owned(),
            data.to_string_lossy().into_owned(),
            "-p".to_owned(),
            self.port.to_string(),
        ];
        let careless = if self.durable { [].as_slice() } else { CARELESS.as_slice() };
        args.extend(
            SETTINGS
                .iter()
                .chain(careless)
                .copied()
                .chain(self.settings.iter().map(String::as_str))
                .flat_map(|setting| ["-c".to_owned(), setting.to_owned()]),
        );
        let mut child = Child::start(Launch {
            name: SERVER,
            program: self.bin.dir.join("postgres"),
            args,
            account: self.dir.account,
            log: log.file.try_clone().map_err(EmbeddedError::file("open", &log.path))?,
            stop_signal: Signal::INT,
        })
        .await?;
        match self.ready(&child, deadline, &log).await {
            Ok(()) => Ok(child),
            Err(error) => {
                child.kill().await?;
                Err(error)
            }
        }
    }

    /// Waits until the server has written into its pid file that it accepts clients, as `pg_ctl`
    /// does.
    async fn ready(
        &self,
        child: &Child,
        deadline: Instant,
        log: &Log,
    ) -> Result<(), EmbeddedError> {
        let pid_file = self.dir.join("postgres/data/postmaster.pid");
        let pid = child.pid().to_string();
        while Instant::now() < deadline {
            if child.has_ended() {
                let said = telling_line(&log.text());
                return Err(EmbeddedError::Ended { server: SERVER, said, log: log.path.clone() });
            }
            let text = fs::read_to_string(&pid_file).unwrap_or_default();
            let mut lines = text.lines().map(str::trim);
            if lines.next() == Some(pid.as_str()) && lines.next_back() == Some("ready") {
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

/// Whether another attempt may succeed: the port was taken, or processes of a killed server are
/// still ending. The server has no exit status of its own for this, only its log line.
fn is_passing(error: &EmbeddedError) -> bool {
    let passing = [
        "could not create any TCP/IP sockets",
        "shared memory block",
        "lock file",
        // A backend of the killed server says this as it ends: ours ended because that one was
        // still there.
        "unexpected postmaster exit",
    ];
    let EmbeddedError::Ended { said, .. } = error else { return false };
    passing.iter().any(|part| said.contains(part))
}
