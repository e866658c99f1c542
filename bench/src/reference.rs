//! The reference: the same job in the shape of an ordinary job queue on Postgres. One table of
//! jobs, one of movies with the whole body as jsonb; one process, 64 movies in flight.
//!
//! It has a database of its own on the same server. Nobody is told of a movie by an event; its
//! process says on standard output which jobs are committed, so that the bench may time them.

mod queue;
pub(crate) mod worker;

use std::{
    io::{BufRead, BufReader},
    process::{ChildStdout, Command},
    time::Instant,
};

use anyhow::{Context, Result};
use sqlx::{PgPool, Postgres, Transaction, postgres::PgPoolOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    contender::{Contender, Done, Kind},
    process::{Output, Process},
    scene::Scene,
};

const DATABASE: &str = "reference";
/// What it says of every movie: it does not compare.
const DONE: &str = "done";

/// The reference, running.
pub(crate) struct Reference {
    process: Process,
    /// For the bench, which sends the jobs.
    pool: PgPool,
    /// Jobs that nobody sees until it is committed.
    held: Option<Transaction<'static, Postgres>>,
    done: UnboundedReceiver<Done>,
}

impl Reference {
    /// Makes its database and starts its process.
    ///
    /// # Errors
    /// Postgres refuses something, or the process does not start.
    pub(crate) async fn start(scene: &Scene) -> Result<Self> {
        scene.database.create_database(DATABASE).await?;
        let of_program = scene.database_url();
        let (server, _) = of_program.rsplit_once('/').context("the address has no database")?;
        let url = format!("{server}/{DATABASE}");
        let pool = PgPoolOptions::new().max_connections(1).connect(&url).await?;
        queue::create(&pool).await?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .env_clear()
            .env(worker::DATABASE_URL, &url)
            .env(worker::TMDB_BASE_URL, scene.upstream.base_url())
            .arg("reference-worker");
        let folder = scene.folder("reference");
        let mut process = Process::start(command, &folder, Output::Pipe)?;
        let output = process.child.stdout.take().context("the process has no output")?;
        let (heard, done) = unbounded_channel();
        std::thread::Builder::new()
            .name("reference".to_owned())
            .spawn(move || listen(output, &heard))?;
        Ok(Self { process, pool, held: None, done })
    }

    /// Ends its process.
    pub(crate) async fn stop(self) -> Result<()> {
        self.pool.close().await;
        self.process.stop().await
    }
}

/// Each line is the id of a movie that is done.
fn listen(output: ChildStdout, heard: &UnboundedSender<Done>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let at = Instant::now();
        let Ok(id) = line.parse() else { continue };
        if heard.send(Done { id, outcome: DONE.to_owned(), at }).is_err() {
            return;
        }
    }
}

impl Contender for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn pids(&self) -> Vec<i32> {
        vec![self.process.pid()]
    }

    fn outcome(&self, _: Kind) -> &'static str {
        DONE
    }

    async fn hold(&mut self, _: Kind, ids: &[i64]) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        queue::add(&mut transaction, ids).await?;
        self.held = Some(transaction);
        Ok(())
    }

    async fn release(&mut self, _: Kind) -> Result<()> {
        let held = self.held.take().context("nothing is held")?;
        Ok(held.commit().await?)
    }

    async fn send(&mut self, id: i64) -> Result<()> {
        let mut connection = self.pool.acquire().await?;
        queue::add(&mut connection, &[id]).await
    }

    fn done(&mut self) -> &mut UnboundedReceiver<Done> {
        &mut self.done
    }

    async fn is_idle(&mut self, _: Kind) -> Result<bool> {
        queue::is_empty(&self.pool).await
    }

    fn log(&self) -> String {
        self.process.last_lines()
    }
}
