//! The program under test: built once, run as a command or as a process that its test watches.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::eventually::{PATIENCE, Wait};

/// Settings of the caller's environment that a test must not inherit.
const SETTINGS: [&str; 14] = [
    "NATS_URL",
    "DATABASE_URL",
    "DATABASE_POOL",
    "PGHOST",
    "PGPORT",
    "PGUSER",
    "PGPASSWORD",
    "PGDATABASE",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "TMDB_TOKEN",
    "TMDB_API_KEY",
    "NATS_CREDS",
    "RUST_LOG",
];

/// The program, built once; or the one that `MANGOES_PROGRAM` names.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(path) = std::env::var_os("MANGOES_PROGRAM") {
            return path.into();
        }
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "-q", "--workspace", "--bins"]);
        // What cargo tells a test of its package would have build scripts run again, in this build
        // and in the next.
        for (name, _) in std::env::vars().filter(|(name, _)| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        }) {
            build.env_remove(name);
        }
        let done = build.status().unwrap();
        assert!(done.success(), "mangoes does not build");
        let test = std::env::current_exe().unwrap();
        test.parent().unwrap().parent().unwrap().join("mangoes")
    })
}

/// The program without any setting of the caller's environment.
pub fn mangoes(data_dir: &Path) -> Command {
    let mut command = Command::new(program());
    for name in SETTINGS {
        command.env_remove(name);
    }
    command.env("MANGOES_DATA_DIR", data_dir).env("MANGOES_LISTEN", "127.0.0.1:0");
    command
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output, then standard error.
    pub text: String,
    /// Standard error alone.
    pub errors: String,
}

impl Said {
    /// Runs the command to its end.
    pub fn by(command: &mut Command) -> Self {
        let done = command.output().unwrap();
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        let text = String::from_utf8_lossy(&done.stdout).into_owned() + &errors;
        Self { code: done.status.code(), text, errors }
    }

    /// Whether it ended with exit code 0.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }
}

/// A process that writes into a log and is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the command; what it writes is appended to the log.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = std::fs::File::options().create(true).append(true).open(log).unwrap();
        let child = command
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, log: log.to_owned() }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended; `None` while it runs.
    pub fn end(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Asks it to stop, as an orchestrator does.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        // It may have ended by itself a moment ago.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        let log = self.log.clone();
        let wait = Wait::within(PATIENCE * 2).showing(&log);
        wait.until("the process ends", async || self.end(), Option::is_some).await.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The end of a log; empty when there is none.
pub fn last_lines(log: &Path, count: usize) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
