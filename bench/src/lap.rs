//! A lap: the same work for every movie, timed from the moment when the first may be delivered to
//! the moment when the bench hears of the last.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};

use crate::{
    contender::{Contender, Kind},
    figures::Lap,
    scene::Scene,
    usage::Parties,
};

/// A lap in which nothing is done for so long has failed.
const STANDSTILL: Duration = Duration::from_secs(60);
/// What is done a while after a lap (the log of calls, statistics) counts with the lap.
const SETTLE: Duration = Duration::from_millis(700);
const POLL: Duration = Duration::from_millis(20);

/// Runs a lap over these movies.
///
/// # Errors
/// It stands still for a minute, or a movie ends otherwise than the lap wants.
pub(crate) async fn run(
    scene: &Scene,
    contender: &mut impl Contender,
    kind: Kind,
    ids: &[i64],
) -> Result<Lap> {
    let parties = scene.parties(contender.pids());
    // An event that was published twice says nothing about this lap.
    while contender.done().try_recv().is_ok() {}
    contender.hold(kind, ids).await?;
    scene.database.checkpoint().await?;
    parties.forget_peak()?;
    let upstream_before = scene.upstream.cpu_secs();
    let calls_before = scene.upstream.calls();
    let before = parties.usage(scene.database.wal_bytes().await?)?;

    let begun = Instant::now();
    contender.release(kind).await?;
    let ended = all_done(contender, kind, ids).await?;

    settle(scene, contender, kind).await?;
    let usage = parties.usage(scene.database.wal_bytes().await?)? - before;
    Ok(Lap {
        contender: contender.name(),
        kind: kind.name(),
        movies: ids.len(),
        secs: (ended - begun).as_secs_f64(),
        usage,
        peak_bytes: parties.peak_bytes(),
        upstream_secs: scene.upstream.cpu_secs() - upstream_before,
        calls: scene.upstream.calls() - calls_before,
    })
}

/// Returns when every movie is done: when the bench heard of the last one.
async fn all_done(contender: &mut impl Contender, kind: Kind, ids: &[i64]) -> Result<Instant> {
    let wanted = contender.outcome(kind);
    let mut open: HashSet<i64> = ids.iter().copied().collect();
    let mut ended = Instant::now();
    while !open.is_empty() {
        let Ok(done) = tokio::time::timeout(STANDSTILL, contender.done().recv()).await else {
            bail!("{}: {} movies are not done: {}", kind.name(), open.len(), contender.log());
        };
        let Some(done) = done else { bail!("nothing more is heard: {}", contender.log()) };
        ensure!(done.outcome == wanted, "movie {} is {}, not {wanted}", done.id, done.outcome);
        if open.remove(&done.id) {
            ended = done.at;
        }
    }
    Ok(ended)
}

/// Waits until all is acknowledged and what is done afterwards is done; a checkpoint is the end, so
/// that what a lap leaves to be written counts with it.
async fn settle(scene: &Scene, contender: &mut impl Contender, kind: Kind) -> Result<()> {
    let begun = Instant::now();
    while !contender.is_idle(kind).await? {
        ensure!(begun.elapsed() < STANDSTILL, "work is not acknowledged: {}", contender.log());
        tokio::time::sleep(POLL).await;
    }
    tokio::time::sleep(SETTLE).await;
    scene.database.checkpoint().await
}

impl Scene {
    /// The processes to measure, with a contender's.
    pub(crate) fn parties(&self, program: Vec<i32>) -> Parties {
        Parties { program, postgres: self.postgres_pid(), nats: self.nats_pid() }
    }
}
