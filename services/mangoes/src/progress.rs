//! Follows a run to its end: a bar with counts, rate and time left on a terminal, plain lines
//! elsewhere.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use operator::{Client, OperatorError, jobs::RunView};
use proto::RunId;

use crate::output;

const LOOK_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How a run is followed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FollowOptions {
    /// Show nothing.
    pub(crate) quiet: bool,
    /// How long to wait for the end.
    pub(crate) limit: Duration,
}

/// Waits until a run has ended. A run that is not there yet may still begin.
pub(crate) async fn follow_run(
    client: &Client,
    run_id: &RunId,
    options: FollowOptions,
) -> Result<RunView> {
    let begun = Instant::now();
    let job = run_id.split('@').next().unwrap_or(run_id);
    let mut progress = Bar::new(job, options.quiet);
    loop {
        match client.run_of(run_id).await {
            Ok(view) => {
                let settled = view.run.done + view.run.failed;
                let all = settled + view.run.pending;
                progress.set(settled.unsigned_abs(), all.unsigned_abs());
                if view.run.ended_at.is_some() {
                    progress.end();
                    return Ok(view);
                }
            }
            Err(OperatorError::Unknown { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if begun.elapsed() > options.limit {
            progress.end();
            bail!(
                "{run_id} is not over after {} s; is a service running that does its work? \
                 `mangoes jobs runs` shows it",
                options.limit.as_secs()
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How far some work is: a bar on a terminal, a line now and then elsewhere.
pub(crate) struct Bar {
    name: String,
    bar: Option<ProgressBar>,
    quiet: bool,
    first: Option<Count>,
    line_at: Instant,
}

/// How much was done at a moment.
#[derive(Clone, Copy)]
struct Count {
    at: Instant,
    done: u64,
}

impl Bar {
    pub(crate) fn new(name: &str, quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let style =
                ProgressStyle::with_template("{msg:24} {bar:30} {pos}/{len}  {per_sec}  ETA {eta}");
            ProgressBar::new(0)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_message(name.to_owned())
        });
        Self { name: name.to_owned(), bar, quiet, first: None, line_at: Instant::now() }
    }

    /// So many of all are done. The rate is that since the first call: what was done before it, by
    /// an earlier process too, says nothing about it.
    pub(crate) fn set(&mut self, done: u64, all: u64) {
        let first = *self.first.get_or_insert_with(|| {
            if let Some(bar) = &self.bar {
                bar.set_position(done);
                bar.reset_eta();
            }
            Count { at: Instant::now(), done }
        });
        if let Some(bar) = &self.bar {
            bar.set_length(all);
            bar.set_position(done);
        } else if !self.quiet && self.line_at.elapsed() >= LINE_EVERY {
            self.line_at = Instant::now();
            let counted = done.saturating_sub(first.done) as f64;
            let per_sec = counted / first.at.elapsed().as_secs_f64();
            let left = if per_sec > 0.0 {
                format!("{:.0} s", all.saturating_sub(done) as f64 / per_sec)
            } else {
                "?".to_owned()
            };
            output::note(&format!("{}: {done}/{all}, {per_sec:.1}/s, ETA {left}", self.name));
        }
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}
