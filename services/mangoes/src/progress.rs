//! Progress of a run: a bar with counts, rate and ETA on a terminal, plain lines elsewhere.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use store::{RunRow, Store};

use crate::show;

const LOOK_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Waits until a run has ended, showing how far it is.
pub(crate) async fn follow_run(
    store: &Store,
    run_id: &str,
    (quiet, limit): (bool, Duration),
) -> Result<RunRow> {
    let begun = Instant::now();
    let mut shown = Shown::new(run_id.split('@').next().unwrap_or(run_id), quiet);
    loop {
        if let Some(run) = store.runs(None, Some(run_id), 1).await?.pop() {
            let ended = run.done + run.failed;
            shown.set(ended, ended + run.pending);
            if run.ended_at.is_some() {
                shown.end();
                return Ok(run);
            }
        }
        if begun.elapsed() > limit {
            shown.end();
            bail!(
                "{run_id} is not over after {} s; does a service run? See `mangoes jobs runs`",
                limit.as_secs()
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

struct Shown {
    name: String,
    bar: Option<ProgressBar>,
    quiet: bool,
    begun: Instant,
    line_at: Instant,
}

impl Shown {
    fn new(name: &str, quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let style =
                ProgressStyle::with_template("{msg:24} {bar:30} {pos}/{len}  {per_sec}  ETA {eta}");
            ProgressBar::new(0)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_message(name.to_owned())
        });
        Self { name: name.to_owned(), bar, quiet, begun: Instant::now(), line_at: Instant::now() }
    }

    fn set(&mut self, done: i64, of: i64) {
        let (done, of) = (u64::try_from(done).unwrap_or(0), u64::try_from(of).unwrap_or(0));
        if let Some(bar) = &self.bar {
            bar.set_length(of);
            bar.set_position(done);
        } else if !self.quiet && self.line_at.elapsed() >= LINE_EVERY {
            self.line_at = Instant::now();
            let per_sec = done as f64 / self.begun.elapsed().as_secs_f64();
            let eta = if per_sec > 0.0 {
                format!("{:.0} s", (of - done.min(of)) as f64 / per_sec)
            } else {
                "?".to_owned()
            };
            show::note(&format!("{}: {done}/{of}, {per_sec:.1}/s, ETA {eta}", self.name));
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}
