//! A lap: the same work for every movie, timed from the moment when the first may be delivered to
//! the event of the last.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};

use crate::{
    broker::{INGEST, Queue, STALE},
    scene::Running,
    usage::Usage,
};

/// A lap in which nothing is done for so long has failed.
const STANDSTILL: Duration = Duration::from_secs(60);
/// What a process does a while after a lap (the log of calls, statistics) counts with the lap.
const SETTLE: Duration = Duration::from_millis(700);
const POLL: Duration = Duration::from_millis(20);

/// What a lap does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Movies come into the catalogue.
    Created,
    /// Movies are read again and are as they were.
    Unchanged,
    /// Every movie has another title and overview.
    Changed,
}

impl Kind {
    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
        }
    }

    /// The outcome that each movie's event must name.
    fn outcome(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unchanged => "unchanged",
            Self::Changed => "updated",
        }
    }

    fn queue(self) -> Queue {
        match self {
            Self::Created => INGEST,
            Self::Unchanged | Self::Changed => STALE,
        }
    }
}

/// What a lap took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lap {
    pub(crate) kind: Kind,
    pub(crate) movies: usize,
    pub(crate) secs: f64,
    pub(crate) usage: Usage,
    /// The most memory of one process.
    pub(crate) peak_bytes: u64,
    /// CPU seconds of the upstream stand-in, which count nowhere else.
    pub(crate) upstream_secs: f64,
    /// Calls of the upstream.
    pub(crate) calls: u64,
}

impl Running<'_> {
    /// Runs a lap over all movies.
    ///
    /// # Errors
    /// It stands still for a minute, or a movie ends otherwise than the lap wants.
    pub(crate) async fn lap(&mut self, kind: Kind) -> Result<Lap> {
        let ids = self.scene.bodies.ids();
        let queue = kind.queue();
        let broker = self.scene.broker.clone();
        broker.hold(queue).await?;
        broker.send_all(queue, &ids).await?;
        let mut listener = broker.refreshed().await?;
        self.scene.database.checkpoint().await?;
        self.parties.forget_peak()?;
        let upstream = (self.scene.upstream.cpu_secs(), self.scene.upstream.calls());
        let before = self.usage().await?;

        let begun = Instant::now();
        broker.release(queue).await?;
        let mut open: HashSet<i64> = ids.iter().copied().collect();
        let mut ended = begun;
        while !open.is_empty() {
            let Ok(done) = tokio::time::timeout(STANDSTILL, listener.next()).await else {
                bail!("{}: {} movies are not done: {}", kind.name(), open.len(), self.log());
            };
            let done = done?;
            let wanted = kind.outcome();
            ensure!(done.outcome == wanted, "movie {} is {}, not {wanted}", done.id, done.outcome);
            if open.remove(&done.id) {
                ended = Instant::now();
            }
        }

        self.settle(queue).await?;
        let usage = self.usage().await? - before;
        Ok(Lap {
            kind,
            movies: ids.len(),
            secs: (ended - begun).as_secs_f64(),
            usage,
            peak_bytes: self.parties.peak_bytes(),
            upstream_secs: self.scene.upstream.cpu_secs() - upstream.0,
            calls: self.scene.upstream.calls() - upstream.1,
        })
    }

    /// Waits until all is acknowledged and what is done afterwards is done; a checkpoint is the
    /// end, so that what a lap leaves to be written counts with it.
    async fn settle(&mut self, queue: Queue) -> Result<()> {
        let begun = Instant::now();
        while !self.scene.broker.is_empty(queue).await? {
            ensure!(begun.elapsed() < STANDSTILL, "messages are not acknowledged: {}", self.log());
            tokio::time::sleep(POLL).await;
        }
        tokio::time::sleep(SETTLE).await;
        self.scene.database.checkpoint().await
    }

    async fn usage(&self) -> Result<Usage> {
        let wal_bytes = self.scene.database.wal_bytes().await?;
        self.parties.usage(wal_bytes)
    }
}
