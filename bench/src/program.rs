//! A process of the program under test.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::options::Options;

/// What it says when all its services run.
const UP: &str = "mangoes is up";
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
/// Lines of its log that an error shows.
const LAST_LINES: usize = 8;

/// The addresses that a process works with.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub(crate) nats_url: String,
    pub(crate) database_url: String,
    pub(crate) tmdb_url: String,
}

/// A running process. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `mangoes up` and waits until it works.
    ///
    /// # Errors
    /// It does not start, ends again, or is not ready within two minutes.
    pub(crate) async fn start(
        options: &Options,
        addresses: &Addresses,
        data_dir: &Path,
    ) -> Result<Self> {
        let path = options.program()?;
        std::fs::create_dir_all(data_dir)?;
        let log = data_dir.join("log");
        let file = File::create(&log)?;
        let mut command = Command::new(&path);
        command
            .env_clear()
            .env("NATS_URL", &addresses.nats_url)
            .env("DATABASE_URL", &addresses.database_url)
            .env("TMDB_BASE_URL", &addresses.tmdb_url)
            .env("TMDB_TOKEN", "bench")
            // No limit on the calls.
            .env("TMDB_RATE", "0")
            .env("TMDB_CONCURRENCY", "64")
            .env("MANGOES_DATA_DIR", data_dir)
            .env("MANGOES_LISTEN", "127.0.0.1:0")
            .arg("up")
            .current_dir(data_dir)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command.spawn().with_context(|| {
            format!("cannot run {}: build it, or name another with --mangoes", path.display())
        })?;
        let mut program = Self { child, log };
        program.ready().await?;
        Ok(program)
    }

    async fn ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < START_LIMIT {
            if std::fs::read_to_string(&self.log)?.contains(UP) {
                return Ok(());
            }
            self.check_alive()?;
            tokio::time::sleep(POLL).await;
        }
        bail!("the program does not come up: {}", self.last_lines())
    }

    /// Fails where the process has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("the program ended with {status}: {}", self.last_lines()),
            None => Ok(()),
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// The end of what it said.
    pub(crate) fn last_lines(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(LAST_LINES);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let begun = Instant::now();
        while begun.elapsed() < STOP_LIMIT {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("the program does not stop: {}", self.last_lines())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
