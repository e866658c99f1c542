//! Everything around a contender: servers in a folder of their own, the upstream, the movies.

use std::{path::PathBuf, sync::Arc, time::Instant};

use anyhow::{Context, Result};
use embedded::{Nats, Postgres};

use crate::{
    bodies::Bodies, broker::Broker, database::Database, options::Options, output::note,
    upstream::Upstream,
};

/// Above the settings of embedded servers, which are made for small machines. Four processes of the
/// program have 24 connections each.
const POSTGRES: [&str; 2] = ["shared_buffers=1GB", "max_connections=200"];

/// Servers and the upstream, running.
pub(crate) struct Scene {
    pub(crate) folder: PathBuf,
    keep: bool,
    postgres: Postgres,
    nats: Nats,
    pub(crate) broker: Broker,
    pub(crate) database: Database,
    pub(crate) upstream: Upstream,
    pub(crate) bodies: Bodies,
}

impl Scene {
    /// Starts everything but the contenders.
    ///
    /// # Errors
    /// A server does not start, or the simulator does not answer.
    pub(crate) async fn start(options: &Options) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("mangoes-bench-{}", std::process::id()));
        let begun = Instant::now();
        let data_dir = folder.join("servers");
        let servers = embedded::Options { data_dir, nats_port: None, durable: true };
        let bodies = usize::try_from(options.movies() * options.rounds())?;
        let (nats, postgres, bodies) = tokio::try_join!(
            async { anyhow::Ok(Nats::start(&servers).await?) },
            async { anyhow::Ok(Postgres::start_with(&servers, &POSTGRES).await?) },
            Bodies::render(bodies),
        )?;
        note(&format!("servers and movies are ready after {:.1?}", begun.elapsed()));
        let broker = Broker::connect(&nats.nats_url()).await?;
        let database = Database::connect(&postgres).await?;
        let upstream = Upstream::start()?;
        let keep = options.keep;
        Ok(Self { folder, keep, postgres, nats, broker, database, upstream, bodies })
    }

    /// Serves an edition of some movies, by their place, and no others.
    pub(crate) async fn serve(&self, places: std::ops::Range<usize>, edition: u32) -> Result<()> {
        self.upstream.serve(Arc::new(self.bodies.edition(places, edition).await?));
        Ok(())
    }

    /// The address of NATS.
    pub(crate) fn nats_url(&self) -> String {
        self.nats.nats_url()
    }

    /// The address of the program's database, for the role that owns it.
    pub(crate) fn database_url(&self) -> String {
        self.postgres.database_url()
    }

    /// The process of NATS.
    pub(crate) fn nats_pid(&self) -> i32 {
        self.nats.pid()
    }

    /// The first process of Postgres.
    pub(crate) fn postgres_pid(&self) -> i32 {
        self.postgres.pid()
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
