//! A child process that writes into a log, and is killed when it is dropped.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

const STOP_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
/// Lines of its log that an error shows.
const LAST_LINES: usize = 8;

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    /// Its standard output is a pipe where the command says so.
    pub(crate) child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command without any setting of the caller's environment but `PATH`.
    ///
    /// # Errors
    /// There is no such program, or the log cannot be written.
    pub(crate) fn start(mut command: Command, folder: &Path, output: Output) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let log = folder.join("log");
        let file = File::create(&log)?;
        let stdout = match output {
            Output::Log => file.try_clone()?.into(),
            Output::Pipe => Stdio::piped(),
        };
        command.current_dir(folder).stdin(Stdio::null()).stdout(stdout).stderr(file);
        let child = command.spawn().with_context(|| {
            format!("cannot run {}", Path::new(command.get_program()).display())
        })?;
        Ok(Self { child, log })
    }

    /// Fails where the process has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("a process ended with {status}: {}", self.last_lines()),
            None => Ok(()),
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Everything that it wrote into its log.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of what it wrote into its log.
    pub(crate) fn last_lines(&self) -> String {
        let text = self.said();
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
        bail!("a process does not stop: {}", self.last_lines())
    }
}

/// Where standard output goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Output {
    /// Into the log.
    Log,
    /// To the bench, which reads it.
    Pipe,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
