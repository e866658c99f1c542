//! Everything around the program: servers in a folder of their own, the upstream, the movies.

use std::{path::PathBuf, sync::Arc, time::Instant};

use anyhow::{Context, Result};
use embedded::{Nats, Postgres};

use crate::{
    bodies::{Bodies, Weight},
    broker::Broker,
    database::Database,
    lap::{Kind, Lap},
    options::Options,
    output::note,
    program::{Addresses, Program},
    upstream::Upstream,
    usage::Parties,
};

/// Postgres on a machine of its own would have more; the laps fit into it.
const POSTGRES: [&str; 2] = ["shared_buffers=1GB", "max_connections=200"];

/// Servers and the upstream, running.
pub(crate) struct Scene {
    folder: PathBuf,
    keep: bool,
    postgres: Postgres,
    nats: Nats,
    pub(crate) broker: Broker,
    pub(crate) database: Database,
    pub(crate) upstream: Upstream,
    pub(crate) bodies: Bodies,
    /// Editions of the movies so far.
    edition: u32,
}

/// What was measured of the program.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) laps: Vec<Lap>,
    /// Memory of a process that has done nothing yet.
    pub(crate) idle_bytes: u64,
    /// Growth of the database by the first lap, and by all.
    pub(crate) created_bytes: u64,
    pub(crate) grown_bytes: u64,
    pub(crate) weight: Weight,
}

/// The program, running in its scene.
pub(crate) struct Running<'a> {
    pub(crate) scene: &'a mut Scene,
    pub(crate) parties: Parties,
    processes: Vec<Program>,
}

impl Scene {
    /// Starts everything but the program.
    ///
    /// # Errors
    /// A server does not start, or the simulator does not answer.
    pub(crate) async fn start(options: &Options) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("mangoes-bench-{}", std::process::id()));
        let begun = Instant::now();
        let servers =
            embedded::Options { data_dir: folder.join("servers"), nats_port: None, durable: true };
        let (nats, postgres, bodies) = tokio::try_join!(
            async { anyhow::Ok(Nats::start(&servers).await?) },
            async { anyhow::Ok(Postgres::start_with(&servers, &POSTGRES).await?) },
            Bodies::render(usize::try_from(options.movies)?),
        )?;
        note(&format!("servers and movies are ready after {:.1?}", begun.elapsed()));
        let broker = Broker::connect(&nats.nats_url()).await?;
        let database = Database::connect(&postgres).await?;
        let upstream = Upstream::start()?;
        let keep = options.keep;
        Ok(Self { folder, keep, postgres, nats, broker, database, upstream, bodies, edition: 0 })
    }

    /// Starts the program and runs its laps.
    ///
    /// # Errors
    /// The program does not start, ends, or a lap fails.
    pub(crate) async fn program(&mut self, options: &Options) -> Result<Measured> {
        let mut running = Running::start(self, options).await?;
        let measured = running.laps(options).await;
        for process in running.processes {
            process.stop().await?;
        }
        measured
    }

    /// Makes the next edition of all movies and serves it.
    async fn serve_next(&mut self) -> Result<()> {
        self.edition += 1;
        self.serve().await
    }

    async fn serve(&self) -> Result<()> {
        self.upstream.serve(Arc::new(self.bodies.edition(self.edition).await?));
        Ok(())
    }

    /// Stops the servers and removes their folder.
    ///
    /// # Errors
    /// A server does not stop.
    pub(crate) async fn stop(self) -> Result<()> {
        self.database.pool.close().await;
        self.nats.stop().await?;
        self.postgres.stop().await?;
        if self.keep {
            note(&format!("the servers' data and all logs are in {}", self.folder.display()));
            return Ok(());
        }
        embedded::remove_data(&self.folder.join("servers"))?;
        std::fs::remove_dir_all(&self.folder).context("cannot remove the bench's folder")
    }
}

impl<'a> Running<'a> {
    async fn start(scene: &'a mut Scene, options: &Options) -> Result<Self> {
        let addresses = Addresses {
            nats_url: scene.nats.nats_url(),
            database_url: scene.postgres.database_url(),
            tmdb_url: scene.upstream.base_url(),
        };
        scene.serve().await?;
        let mut processes = Vec::new();
        for number in 1..=options.processes {
            let data_dir = scene.folder.join(format!("program-{number}"));
            processes.push(Program::start(options, &addresses, &data_dir).await?);
        }
        let parties = Parties {
            program: processes.iter().map(Program::pid).collect(),
            postgres: scene.postgres.pid(),
            nats: scene.nats.pid(),
        };
        Ok(Self { scene, parties, processes })
    }

    async fn laps(&mut self, options: &Options) -> Result<Measured> {
        let idle_bytes = self.parties.resident_bytes();
        let empty = self.scene.database.size_bytes().await?;
        let mut laps = vec![self.announced(Kind::Created).await?];
        let created_bytes = self.scene.database.size_bytes().await?.saturating_sub(empty);
        for _ in 0..options.repeat {
            laps.push(self.announced(Kind::Unchanged).await?);
            self.scene.serve_next().await?;
            laps.push(self.announced(Kind::Changed).await?);
        }
        let grown_bytes = self.scene.database.size_bytes().await?.saturating_sub(empty);
        let weight = self.scene.bodies.weight();
        Ok(Measured { laps, idle_bytes, created_bytes, grown_bytes, weight })
    }

    async fn announced(&mut self, kind: Kind) -> Result<Lap> {
        let lap = self.lap(kind).await?;
        for process in &mut self.processes {
            process.check_alive()?;
        }
        note(&format!("{}: {:.0} movies/s", kind.name(), lap.movies as f64 / lap.secs));
        Ok(lap)
    }

    /// The end of what each process said.
    pub(crate) fn log(&self) -> String {
        self.processes.iter().map(Program::last_lines).collect::<Vec<_>>().join("\n")
    }
}
