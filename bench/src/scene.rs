//! Everything around a contender: servers in a folder of their own, the upstream, the movies.

use std::{ops::Range, path::PathBuf, sync::Arc, time::Instant};

use anyhow::Result;
use embedded::{Nats, Postgres};

use crate::{
    bodies::Bodies, broker::Broker, database::Database, folder::Folder, options::Options,
    output::note, statements, upstream::Upstream,
};

/// Above the settings of embedded servers, which are made for small machines. Four processes of the
/// program have 24 connections each.
const POSTGRES: [&str; 2] = ["shared_buffers=1GB", "max_connections=200"];

/// Servers and the upstream, running.
pub(crate) struct Scene {
    postgres: Postgres,
    nats: Nats,
    pub(crate) broker: Broker,
    pub(crate) database: Database,
    pub(crate) upstream: Upstream,
    pub(crate) bodies: Bodies,
    /// Removed when everything above has ended.
    folder: Folder,
}

impl Scene {
    /// Starts everything but the contenders.
    ///
    /// # Errors
    /// A server does not start, or the simulator does not answer.
    pub(crate) async fn start(options: &Options) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("mangoes-bench-{}", std::process::id()));
        let folder = Folder { path, keep: options.keep };
        let begun = Instant::now();
        let data_dir = folder.servers();
        let servers = embedded::Options { data_dir, nats_port: None, durable: true };
        let bodies = usize::try_from(options.movies() * options.rounds())?;
        let mut settings = POSTGRES.to_vec();
        if options.statements {
            settings.push(statements::PRELOAD);
        }
        let (nats, postgres, bodies) = tokio::try_join!(
            async { anyhow::Ok(Nats::start(&servers).await?) },
            async { anyhow::Ok(Postgres::start_with(&servers, &settings).await?) },
            Bodies::render(bodies),
        )?;
        note(&format!("servers and movies are ready after {:.1?}", begun.elapsed()));
        let broker = Broker::connect(&nats.nats_url()).await?;
        let database = Database::connect(&postgres).await?;
        let upstream = Upstream::start()?;
        Ok(Self { postgres, nats, broker, database, upstream, bodies, folder })
    }

    /// Serves an edition of some movies, by their place, and no others.
    pub(crate) async fn serve(&self, places: Range<usize>, edition: u32) -> Result<()> {
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

    /// A folder of a process, by its name.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.folder.path.join(name)
    }

    /// Stops the servers and removes their folder.
    ///
    /// # Errors
    /// A server does not stop.
    pub(crate) async fn stop(self) -> Result<()> {
        self.database.pool.close().await;
        self.nats.stop().await?;
        Ok(self.postgres.stop().await?)
    }
}
