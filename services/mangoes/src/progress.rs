//! Follows a run to its end: a bar with counts, rate and time left on a terminal, plain lines
//! elsewhere.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use operator::{Client, OperatorError, jobs::RunView};
use proto::RunId;

use crate::output;

const LOOK_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(5);
/// While nobody knows yet how much there is to do.
const SPINNER: &str = "{msg:24} {spinner} {pos} done";
const BAR: &str = "{msg:24} {bar:30} {pos}/{len}  {rate}  ETA {left}";

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
            ProgressBar::no_length().with_style(style(SPINNER)).with_message(name.to_owned())
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
            show(bar, Work { done, all });
        } else if !self.quiet && self.line_at.elapsed() >= LINE_EVERY {
            self.line_at = Instant::now();
            let counted = done.saturating_sub(first.done) as f64;
            let per_sec = counted / first.at.elapsed().as_secs_f64();
            output::note(&format!("{}: {}", self.name, words(Work { done, all }, per_sec)));
        }
    }

    pub(crate) fn end(&self) {
        let Some(bar) = &self.bar else { return };
        if bar.length().is_some() {
            bar.finish();
        } else {
            bar.finish_and_clear();
        }
    }
}

/// How much of some work is done. As long as nobody knows how much there is, all is 0.
#[derive(Clone, Copy)]
struct Work {
    done: u64,
    all: u64,
}

/// A bar is full at 0 of 0: until there is a total, a spinner stands in its place.
fn show(bar: &ProgressBar, work: Work) {
    if work.all > 0 {
        if bar.length().is_none() {
            bar.set_style(style(BAR));
        }
        bar.set_length(work.all);
    }
    bar.set_position(work.done);
    bar.tick();
}

/// As a line says it.
fn words(work: Work, per_sec: f64) -> String {
    let Work { done, all } = work;
    if all == 0 {
        return "nobody knows yet how much there is to do".to_owned();
    }
    let left = left_words(all.saturating_sub(done) as f64, per_sec);
    format!("{done}/{all}, {}, ETA {left}", rate_words(per_sec))
}

/// `15.0/s`.
fn rate_words(per_sec: f64) -> String {
    format!("{per_sec:.1}/s")
}

/// `12 s`; nobody knows as long as nothing was done.
fn left_words(left: f64, per_sec: f64) -> String {
    if per_sec > 0.0 { format!("{:.0} s", left / per_sec) } else { "?".to_owned() }
}

fn style(template: &str) -> ProgressStyle {
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // A rate that cannot be drawn is left out.
        let _ = out.write_str(&rate_words(state.per_sec()));
    };
    let left = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let left = state.len().unwrap_or_default().saturating_sub(state.pos());
        // As above.
        let _ = out.write_str(&left_words(left as f64, state.per_sec()));
    };
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("rate", rate).with_key("left", left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_not_full_before_there_is_a_total() {
        let bar = ProgressBar::hidden().with_style(style(SPINNER));
        show(&bar, Work { done: 0, all: 0 });
        assert_eq!((bar.length(), bar.position()), (None, 0));
        show(&bar, Work { done: 15, all: 30 });
        assert_eq!((bar.length(), bar.position()), (Some(30), 15));
    }

    #[test]
    fn lines_have_a_rate_with_one_decimal() {
        assert_eq!(words(Work { done: 15, all: 30 }, 14.9743), "15/30, 15.0/s, ETA 1 s");
        assert_eq!(words(Work { done: 0, all: 30 }, 0.0), "0/30, 0.0/s, ETA ?");
        assert!(!words(Work { done: 0, all: 0 }, 0.0).contains("0/0"));
    }
}
