//! Who does the job: the program, or the reference. Both get the same movies in the same laps.

use std::time::Instant;

use anyhow::Result;
use tokio::sync::mpsc::UnboundedReceiver;

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
    /// In the order in which one makes the next possible.
    pub(crate) const ALL: [Self; 3] = [Self::Created, Self::Unchanged, Self::Changed];

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
        }
    }
}

/// A movie that a contender says it is done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) id: i64,
    /// What became of it, in the contender's word.
    pub(crate) outcome: String,
    /// When the bench heard of it.
    pub(crate) at: Instant,
}

/// Does the job.
pub(crate) trait Contender {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Its processes.
    fn pids(&self) -> Vec<i32>;

    /// What it says of a movie in such a lap.
    fn outcome(&self, kind: Kind) -> &'static str;

    /// Queues one message for each movie; none is delivered before the release.
    async fn hold(&mut self, kind: Kind, ids: &[i64]) -> Result<()>;

    /// The lap begins.
    async fn release(&mut self, kind: Kind) -> Result<()>;

    /// Queues one movie to be read again; returns when it is queued.
    async fn send(&mut self, id: i64) -> Result<()>;

    /// Movies that are done, as the bench hears of them.
    fn done(&mut self) -> &mut UnboundedReceiver<Done>;

    /// Whether nothing is queued or in flight.
    async fn is_idle(&mut self, kind: Kind) -> Result<bool>;

    /// The end of what it said.
    fn log(&self) -> String;
}
