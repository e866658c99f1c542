//! Two replicas of every service, watched as an orchestrator does: whoever ends is started again.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use rustix::process::Signal;
use tests::{Process, Wait, mangoes};

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
    process: Option<Process>,
    /// A fault holds it down.
    pub(crate) held: bool,
    /// Ends that no fault asked for.
    pub(crate) own_ends: u32,
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
            process: None,
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
            if let Some(process) = &mut replica.process
                && process.end().is_some()
            {
                replica.process = None;
                replica.own_ends += 1;
            }
            if replica.process.is_none() && !replica.held {
                replica.process = Some(launch(&self.settings, replica));
            }
        }
    }

    pub(crate) fn clock_file(&self, n: usize) -> PathBuf {
        self.settings.folder.join(format!("{}.clock", self.replicas[n].name))
    }

    /// kill -9; it stays away until it is released.
    pub(crate) fn kill(&mut self, n: usize) {
        self.replicas[n].held = true;
        if let Some(mut process) = self.replicas[n].process.take() {
            process.kill();
        }
    }

    pub(crate) fn release(&mut self, n: usize) {
        self.replicas[n].held = false;
    }

    pub(crate) fn release_all(&mut self) {
        self.replicas.iter_mut().for_each(|replica| replica.held = false);
    }

    pub(crate) fn signal(&self, n: usize, signal: Signal) {
        if let Some(process) = &self.replicas[n].process {
            process.signal(signal);
        }
    }

    /// SIGTERM, and waits for the end. Returns its exit code; `None`: it had to be killed.
    pub(crate) async fn terminate(&mut self, n: usize, grace: Duration) -> Option<i32> {
        self.replicas[n].held = true;
        self.signal(n, Signal::TERM);
        let mut process = self.replicas[n].process.take()?;
        let status = Wait::within(grace).try_until(async || process.end(), Option::is_some).await;
        status.ok().flatten()?.code()
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

fn launch(settings: &Settings, replica: &Replica) -> Process {
    let file = |kind: &str| settings.folder.join(format!("{}.{kind}", replica.name));
    let mut command = mangoes(&settings.folder);
    command
        .args(["serve", replica.service])
        .envs(settings.env.iter().map(|(k, v)| (k, v)))
        .env("LD_PRELOAD", &settings.shim)
        .env("CLOCK_SKEW_FILE", file("clock"));
    Process::start(&mut command, &file("log"))
}
