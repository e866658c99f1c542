//! The reference's process: claims jobs in batches, fetches each movie, stores it whole.

use std::{
    io::{Read, Write},
    time::Duration,
};

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::task::JoinSet;

use super::queue::{self, CHANNEL, Job};

/// Names of the two settings.
pub(crate) const DATABASE_URL: &str = "DATABASE_URL";
pub(crate) const TMDB_BASE_URL: &str = "TMDB_BASE_URL";

/// Movies that are fetched or stored at once.
const IN_FLIGHT: usize = 64;
/// Jobs are claimed when so many may begin: a claim costs about as much for one as for many.
const BATCH: usize = 16;
/// Connections for the work.
const CONNECTIONS: u32 = 16;
/// Jobs that no notification is about (an attempt that is due again) are found by looking.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a job needs.
#[derive(Clone)]
struct Worker {
    pool: PgPool,
    http: reqwest::Client,
    base_url: String,
}

/// Works until the process is stopped.
///
/// # Errors
/// A setting is missing, or the database is gone.
pub(crate) async fn run() -> Result<()> {
    let setting = |name| std::env::var(name).with_context(|| format!("{name} is not set"));
    let url = setting(DATABASE_URL)?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&url).await?;
    // The program's: crates/tmdb/src/transport.rs.
    let http = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(30))
        .build()?;
    let mut news = PgListener::connect(&url).await?;
    news.listen(CHANNEL).await?;
    let worker = Worker { pool, http, base_url: setting(TMDB_BASE_URL)? };
    let mut jobs = JoinSet::new();
    loop {
        let free = IN_FLIGHT - jobs.len();
        if free >= BATCH {
            let claimed = queue::claim(&worker.pool, free).await?;
            let is_full = claimed.len() == free;
            for job in claimed {
                jobs.spawn(worker.clone().work(job));
            }
            if is_full {
                continue;
            }
            // Nothing more is queued.
            tokio::select! {
                heard = news.recv() => drop(heard?),
                Some(ended) = jobs.join_next() => ended??,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        } else if let Some(ended) = jobs.join_next().await {
            ended??;
        }
    }
}

impl Worker {
    async fn work(self, job: Job) -> Result<()> {
        match self.movie(job).await {
            Ok(body) => {
                queue::complete(&self.pool, job, &body).await?;
                // The bench may have gone.
                let _ = writeln!(std::io::stdout(), "{}", job.movie);
                Ok(())
            }
            Err(error) => queue::fail(&self.pool, job, &error.to_string()).await,
        }
    }

    async fn movie(&self, job: Job) -> Result<Value> {
        let url = format!("{}/movie/{}", self.base_url, job.movie);
        let parts = tmdb::PARTS.join(",");
        let query = [("language", "en-US"), ("append_to_response", &parts)];
        let request = self.http.get(url).query(&query).bearer_auth("bench");
        let request = request.header("accept-encoding", "gzip");
        let packed = request.send().await?.error_for_status()?.bytes().await?;
        let mut body = Vec::new();
        MultiGzDecoder::new(&*packed).read_to_end(&mut body)?;
        Ok(serde_json::from_slice(&body)?)
    }
}
