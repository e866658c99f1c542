//! Two replicas of every service, watched as an orchestrator does: whoever ends is started again.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tests::mangoes;

pub(crate) const SERVICES: [&str; 4] = ["scheduler", "ingest", "staleness-scanner", "refresh"];
pub(crate) const REPLICAS: usize = 2;

/// What every process is started with.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) folder: PathBuf,
    pub(crate) shim: PathBuf,
    pub(crate) env: Vec<(String, String)>,
}

/// One replica.
pub(crate) struct Replica {
    pub(crate) name: String,
    service: &'static str,
    child: Option<Child>,
    /// A fault holds it down.
    pub(crate) held: bool,
    /// Ends that no fault asked for.
    pub(crate) own_ends: u32,
}

impl Replica {
    fn pid(&self) -> Option<Pid> {
        self.child.as_ref().map(Pid::from_child)
    }
}

/// All replicas.
pub(crate) struct Fleet {
    settings: Settings,
    pub(crate) replicas: Vec<Replica>,
}

impl Fleet {
    pub(crate) fn start(settings: Settings) -> Self {
        let names = (0..REPLICAS).flat_map(|n| SERVICES.map(|service| (n, service)));
        let replicas = names.map(|(n, service)| Replica {
            name: format!("{service}-{}", n + 1),
            service,
            child: None,
            held: false,
            own_ends: 0,
        });
        let mut fleet = Self { replicas: replicas.collect(), settings };
        fleet.tend();
        fleet
    }

    /// Where the replica says whether it is ready; its log names the port that it got. `None`: it
    /// never came so far.
    pub(crate) fn health(&self, n: usize) -> Option<SocketAddr> {
        let log =
            fs::read_to_string(self.settings.folder.join(format!("{}.log", self.replicas[n].name)))
                .ok()?;
        log.rsplit_once("listen=")?.1.split_whitespace().next()?.parse().ok()
    }

    /// Starts whoever is not there and not held down.
    pub(crate) fn tend(&mut self) {
        for replica in &mut self.replicas {
            if let Some(child) = &mut replica.child
                && child.try_wait().unwrap().is_some()
            {
                replica.child = None;
                replica.own_ends += 1;
            }
            if replica.child.is_none() && !replica.held {
                replica.child = Some(launch(&self.settings, replica));
            }
        }
    }

    pub(crate) fn clock_file(&self, n: usize) -> PathBuf {
        self.settings.folder.join(format!("{}.clock", self.replicas[n].name))
    }

    /// kill -9; it stays away until it is released.
    pub(crate) fn kill(&mut self, n: usize) {
        self.replicas[n].held = true;
        if let Some(mut child) = self.replicas[n].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn release(&mut self, n: usize) {
        self.replicas[n].held = false;
    }

    pub(crate) fn signal(&self, n: usize, signal: Signal) {
        if let Some(pid) = self.replicas[n].pid() {
            // It may have ended by itself a moment ago.
            kill_process(pid, signal).ok();
        }
    }

    /// SIGTERM, and waits for the end. Returns its exit code; `None`: it had to be killed.
    pub(crate) async fn terminate(&mut self, n: usize, grace: Duration) -> Option<i32> {
        self.replicas[n].held = true;
        self.signal(n, Signal::TERM);
        let mut child = self.replicas[n].child.take()?;
        let begun = std::time::Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            if begun.elapsed() > grace {
                child.kill().unwrap();
                child.wait().unwrap();
                return None;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// SIGKILL to all, also to what is stopped.
    pub(crate) fn kill_all(&mut self) {
        (0..self.replicas.len()).for_each(|n| self.kill(n));
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.kill_all();
    }
}

fn launch(settings: &Settings, replica: &Replica) -> Child {
    let path = settings.folder.join(format!("{}.log", replica.name));
    let log = fs::File::options().create(true).append(true).open(path).unwrap();
    let mut command: Command = mangoes(&settings.folder);
    command
        .args(["serve", replica.service])
        .envs(settings.env.iter().map(|(k, v)| (k, v)))
        .env("LD_PRELOAD", &settings.shim)
        .env("CLOCK_SKEW_FILE", settings.folder.join(format!("{}.clock", replica.name)))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .stdin(Stdio::null());
    command.spawn().unwrap()
}
