//! The program under test: processes `mangoes up` on the scene's servers.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{
    broker::{Broker, INGEST, Listener, Queue, STALE},
    contender::{Contender, Done, Kind},
    options::Options,
    process::{Output, Process},
    scene::Scene,
};

/// What a process says when all its services run.
const UP: &str = "mangoes is up";
const START_LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// The program, running.
pub(crate) struct Program {
    processes: Vec<Process>,
    broker: Broker,
    done: UnboundedReceiver<Done>,
    /// The movie of a lap whose message is sent when the lap begins.
    last: Option<i64>,
}

impl Program {
    /// Starts its processes and waits until they work.
    ///
    /// # Errors
    /// One does not start, ends again, or is not ready within two minutes.
    pub(crate) async fn start(scene: &Scene, options: &Options) -> Result<Self> {
        let mut processes = Vec::new();
        for number in 1..=options.processes {
            let folder = scene.folder(&format!("program-{number}"));
            let mut command = command(scene, options)?;
            command.env("MANGOES_DATA_DIR", &folder).arg("up");
            let mut process = Process::start(command, &folder, Output::Log)
                .context("build it, or name another with --mangoes")?;
            ready(&mut process).await?;
            processes.push(process);
        }
        let (heard, done) = unbounded_channel();
        let mut listener: Listener = scene.broker.refreshed().await?;
        tokio::spawn(async move {
            while let Ok(refreshed) = listener.next().await {
                if heard.send(refreshed).is_err() {
                    return;
                }
            }
        });
        Ok(Self { processes, broker: scene.broker.clone(), done, last: None })
    }

    /// Makes the schema, and rows for the titles that stand there.
    ///
    /// # Errors
    /// The program says why it does not.
    pub(crate) async fn migrate(scene: &Scene, options: &Options) -> Result<()> {
        let mut command = command(scene, options)?;
        command.env("MANGOES_DATA_DIR", scene.folder("migrate")).arg("migrate");
        let done = tokio::process::Command::from(command).output().await?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "mangoes migrate: {said}");
        Ok(())
    }

    /// Fails where a process has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(Process::check_alive)
    }

    /// Ends all processes in order.
    pub(crate) async fn stop(self) -> Result<()> {
        for process in self.processes {
            process.stop().await?;
        }
        Ok(())
    }
}

/// The program with its settings; none of the caller's environment.
fn command(scene: &Scene, options: &Options) -> Result<Command> {
    let mut command = Command::new(options.program()?);
    command
        .env_clear()
        .env("NATS_URL", scene.nats_url())
        .env("DATABASE_URL", scene.database_url())
        .env("TMDB_BASE_URL", scene.upstream.base_url())
        .env("TMDB_TOKEN", "bench")
        // No limit on the calls.
        .env("TMDB_RATE", "0")
        .env("TMDB_CONCURRENCY", "64")
        .env("MANGOES_LISTEN", "127.0.0.1:0");
    Ok(command)
}

async fn ready(process: &mut Process) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < START_LIMIT {
        if process.said().contains(UP) {
            return Ok(());
        }
        process.check_alive()?;
        tokio::time::sleep(POLL).await;
    }
    bail!("the program does not come up: {}", process.last_lines())
}

fn queue(kind: Kind) -> Queue {
    match kind {
        Kind::Created => INGEST,
        Kind::Unchanged | Kind::Changed => STALE,
    }
}

impl Contender for Program {
    fn name(&self) -> &'static str {
        "mangoes"
    }

    fn pids(&self) -> Vec<i32> {
        self.processes.iter().map(Process::pid).collect()
    }

    fn outcome(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Created => "created",
            Kind::Unchanged => "unchanged",
            Kind::Changed => "updated",
        }
    }

    async fn hold(&mut self, kind: Kind, ids: &[i64]) -> Result<()> {
        self.broker.hold(queue(kind)).await?;
        let (last, ids) = ids.split_last().context("a lap needs a movie")?;
        self.last = Some(*last);
        self.broker.send_all(queue(kind), ids).await
    }

    /// A pull that waits at a paused consumer is not served when that is resumed (nats-server
    /// 2.15), but when it expires, up to 4 s later, or when a message comes: so one comes.
    async fn release(&mut self, kind: Kind) -> Result<()> {
        self.broker.release(queue(kind)).await?;
        match self.last.take() {
            Some(last) => self.broker.send(queue(kind), last).await,
            None => Ok(()),
        }
    }

    async fn send(&mut self, id: i64) -> Result<()> {
        self.broker.send(STALE, id).await
    }

    fn done(&mut self) -> &mut UnboundedReceiver<Done> {
        &mut self.done
    }

    async fn is_idle(&mut self, kind: Kind) -> Result<bool> {
        self.broker.is_empty(queue(kind)).await
    }

    fn log(&self) -> String {
        self.processes.iter().map(Process::last_lines).collect::<Vec<_>>().join("\n")
    }
}
