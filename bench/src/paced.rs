//! The paced lap: few movies a second against a process that has nothing else to do. What counts is
//! how long each takes, from the moment when its message is sent.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    contender::{Contender, Done, Kind},
    figures::Paced,
    scene::Scene,
};

/// 20 a second.
const EVERY: Duration = Duration::from_millis(50);
/// The process comes to rest first.
const REST: Duration = Duration::from_secs(1);
/// How long the last movies may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Sends these movies, which are as the contender knows them, one after the other.
///
/// # Errors
/// One is not done within half a minute after the last was sent, or was changed.
pub(crate) async fn run(
    scene: &Scene,
    contender: &mut impl Contender,
    ids: &[i64],
) -> Result<Paced> {
    tokio::time::sleep(REST).await;
    let parties = scene.parties(contender.pids());
    let before = parties.usage(0)?;
    let mut sent = HashMap::new();
    let mut tick = tokio::time::interval(EVERY);
    for id in ids {
        tick.tick().await;
        sent.insert(*id, Instant::now());
        contender.send(*id).await?;
    }
    let mut took = Vec::new();
    let wanted = contender.outcome(Kind::Unchanged);
    while !sent.is_empty() {
        let done = tokio::time::timeout(LIMIT, contender.done().recv()).await;
        let done: Done = done.ok().flatten().with_context(|| contender.log())?;
        ensure!(done.outcome == wanted, "movie {} is {}, not {wanted}", done.id, done.outcome);
        if let Some(at) = sent.remove(&done.id) {
            took.push(done.at - at);
        }
    }
    let usage = parties.usage(0)? - before;
    took.sort_unstable();
    Ok(Paced {
        contender: contender.name(),
        movies: took.len(),
        p50_ms: percentile_ms(&took, 50),
        p99_ms: percentile_ms(&took, 99),
        cpu_secs_per_1000: usage.total_secs() / took.len() as f64 * 1_000.0,
    })
}

/// The time that so many percent of the sorted ones do not exceed, in milliseconds.
fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map_or(0.0, |took| took.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        for (percent, expected) in [(50, 100.0), (99, 198.0), (100, 200.0)] {
            assert!((percentile_ms(&times, percent) - expected).abs() < 1e-9, "{percent}");
        }
        assert!((percentile_ms(&times[..1], 50) - 1.0).abs() < 1e-9);
    }
}
