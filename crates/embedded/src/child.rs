//! One child process that never outlives this one, however this one ends.
//!
//! `setpriv --pdeathsig` asks the kernel to signal the child when the thread that started it ends;
//! so each child has a thread of its own, which waits for it. Where `setpriv` is missing, a shell
//! at the end of a pipe does the same.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, test_kill_process, waitid,
};
use tokio::{
    sync::{oneshot, watch},
    time::{sleep, timeout},
};

use crate::{account::Account, error::EmbeddedError, files};

/// How long a server may take to end before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long a killed process may take to vanish.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// How to start a child.
pub(crate) struct Launch {
    /// For messages and the thread.
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) account: Account,
    /// Receives standard output and error.
    pub(crate) log: fs::File,
    /// Asks the child to end.
    pub(crate) stop_signal: Signal,
}

/// A running, or ended, child. Dropping it asks the process to end and does not wait.
#[derive(Debug)]
pub(crate) struct Child {
    name: &'static str,
    pid: Pid,
    stop_signal: Signal,
    /// True until the process is reaped; from then on its id may belong to another process.
    alive: Arc<Mutex<bool>>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Child {
    /// Starts the process in a process group of its own, so that Ctrl-C reaches only mangoes, which
    /// stops it in order.
    pub(crate) async fn start(launch: Launch) -> Result<Self, EmbeddedError> {
        let program = launch.program.clone();
        let spawn_error = |source| EmbeddedError::Spawn { program: program.clone(), source };
        let (started, start) = oneshot::channel();
        thread::Builder::new()
            .name(launch.name.to_owned())
            .spawn(move || keep(launch, started))
            .map_err(spawn_error)?;
        start.await.map_err(io::Error::other).and_then(|result| result).map_err(spawn_error)
    }

    /// The process id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Asks the process to end, kills it when it does not, and returns once it is gone.
    pub(crate) async fn stop(&mut self) -> Result<(), EmbeddedError> {
        self.signal(self.stop_signal);
        if self.ends_within(STOP_LIMIT).await {
            return Ok(());
        }
        tracing::warn!(
            server = self.name,
            "the server did not stop within {} s: it is killed",
            STOP_LIMIT.as_secs()
        );
        self.kill().await
    }

    /// Ends the process at once, as a crash would, and returns once it is gone.
    pub(crate) async fn kill(&mut self) -> Result<(), EmbeddedError> {
        self.signal(Signal::KILL);
        if self.ends_within(KILL_LIMIT).await {
            return Ok(());
        }
        Err(EmbeddedError::Unkillable { server: self.name, pid: self.pid() })
    }

    async fn ends_within(&mut self, limit: Duration) -> bool {
        matches!(timeout(limit, self.exit.wait_for(Option::is_some)).await, Ok(Ok(_)))
    }

    fn signal(&self, signal: Signal) {
        if *locked(&self.alive)
            && let Err(error) = kill_process(self.pid, signal)
        {
            tracing::warn!(server = self.name, %error, "cannot signal the server");
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(self.stop_signal);
    }
}

/// Body of a child's thread: starts it and stays until it has ended.
fn keep(launch: Launch, started: oneshot::Sender<io::Result<Child>>) {
    let (name, stop_signal) = (launch.name, launch.stop_signal);
    let mut process = match spawn(launch) {
        Ok(process) => process,
        Err(error) => {
            // It fails when nobody waits for the answer any more; then it is not needed.
            let _ = started.send(Err(error));
            return;
        }
    };
    let pid = Pid::from_child(&process);
    let mut guard = if setpriv().is_none() { spawn_guard(pid, stop_signal).ok() } else { None };
    let alive = Arc::new(Mutex::new(true));
    let (ended, exit) = watch::channel(None);
    // It fails when nobody waits for the child any more; then the child is dropped, which ends the
    // process.
    let _ = started.send(Ok(Child { name, pid, stop_signal, alive: Arc::clone(&alive), exit }));

    // Wait without reaping first: while the lock is held nobody signals an id that is about to be
    // free.
    while let Err(rustix::io::Errno::INTR) =
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
    {}
    let mut still_alive = locked(&alive);
    if let Some(guard) = guard.as_mut() {
        // The guard may have ended already.
        let _ = guard.kill();
        let _ = guard.wait();
    }
    let status = process.wait().unwrap_or_default();
    *still_alive = false;
    drop(still_alive);
    tracing::debug!(server = name, %status, "server ended");
    ended.send_replace(Some(status));
}

fn spawn(launch: Launch) -> io::Result<std::process::Child> {
    let mut command = match setpriv() {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command
                .args(["--pdeathsig", signal_name(launch.stop_signal), "--"])
                .arg(&launch.program);
            command
        }
        None => Command::new(&launch.program),
    };
    // The user changes before setpriv runs: a later change would take the death signal away again.
    launch.account.apply(&mut command);
    let log = launch.log.try_clone()?;
    command.args(&launch.args).current_dir("/").process_group(0);
    command.stdin(Stdio::null()).stdout(log).stderr(launch.log).spawn()
}

/// A shell that signals `pid` when this process ends and its end of the pipe closes.
fn spawn_guard(pid: Pid, signal: Signal) -> io::Result<std::process::Child> {
    let script = format!("read -r _; kill -{} {}", signal_name(signal), pid.as_raw_nonzero());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script]).current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// Name of one of the signals servers are stopped with.
fn signal_name(signal: Signal) -> &'static str {
    if signal == Signal::INT { "INT" } else { "TERM" }
}

/// The `setpriv` of util-linux, if there is one that knows death signals.
fn setpriv() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let knows = |path: &PathBuf| {
            let help = Command::new(path).arg("--help").output();
            help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("pdeathsig"))
        };
        ["/usr/bin/setpriv", "/bin/setpriv"].into_iter().map(PathBuf::from).find(knows)
    };
    FOUND.get_or_init(find).as_deref()
}

/// Waits for a server that a killed run left behind, and makes sure it is gone.
///
/// `pid_file` holds its id in the first line; it is that server only if `dir` is in its command
/// line. The caller holds the lock of the data directory, so no other run needs this server.
pub(crate) async fn clear_previous(
    server: &'static str,
    pid_file: &Path,
    dir: &Path,
    signal: Signal,
) -> Result<(), EmbeddedError> {
    let Ok(text) = fs::read_to_string(pid_file) else { return Ok(()) };
    let Some(pid) = text.lines().next().and_then(|line| Pid::from_raw(line.trim().parse().ok()?))
    else {
        return Ok(());
    };
    let raw = pid.as_raw_nonzero().get();
    let dir = dir.to_string_lossy();
    let runs = || command_line(raw).contains(dir.as_ref());
    for (signal, limit) in [(signal, STOP_LIMIT), (Signal::KILL, KILL_LIMIT)] {
        if !runs() {
            break;
        }
        tracing::info!(server, pid = raw, "a server of an earlier run still ends: waiting for it");
        // It may have ended meanwhile.
        let _ = kill_process(pid, signal);
        let gone = async {
            while runs() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        // Whether it is gone is asked again below.
        let _ = timeout(limit, gone).await;
    }
    if runs() {
        return Err(EmbeddedError::Unkillable { server, pid: raw });
    }
    if test_kill_process(pid) != Err(rustix::io::Errno::SRCH) {
        // The id belongs to another process now, or to a zombie: Postgres would take either for
        // itself. A server that just ended deletes the file itself.
        files::remove_file(pid_file).map_err(EmbeddedError::file("delete", pid_file))?;
    }
    Ok(())
}

/// The command line of a process; empty when it is gone or a zombie.
fn command_line(pid: i32) -> String {
    if cfg!(target_os = "linux") {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let output = Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn locked(alive: &Mutex<bool>) -> MutexGuard<'_, bool> {
    alive.lock().unwrap_or_else(PoisonError::into_inner)
}
