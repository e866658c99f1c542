//! Runs as a table.

use store::RunRow;
use time::OffsetDateTime;

use crate::output::{Output, millis, relative};

const HEAD: [&str; 12] = [
    "JOB",
    "STATUS",
    "TRIGGER",
    "WHEN",
    "CHECKED",
    "SKIPPED",
    "DONE",
    "FAILED",
    "NOT NEEDED",
    "TMDB CALLS",
    "DURATION",
    "NOTE",
];

pub(super) fn print_runs(runs: &[RunRow], now: OffsetDateTime, out: Output) {
    out.table(&runs, &HEAD, runs.iter().map(|run| row(run, now)).collect());
}

fn row(run: &RunRow, now: OffsetDateTime) -> Vec<String> {
    vec![
        run.job.to_string(),
        run.status.to_string(),
        run.trigger_type.to_string(),
        relative(Some(run.fired_at), now),
        run.checked.to_string(),
        run.skipped.to_string(),
        run.done.to_string(),
        run.failed.to_string(),
        run.not_needed.to_string(),
        calls(run.tmdb_calls),
        millis(run.duration_ms),
        note(run),
    ]
}

/// The exact number, where all were counted.
fn calls(n: i64) -> String {
    if n == RunRow::CALLS_MAX + 1 { format!("{}+", RunRow::CALLS_MAX) } else { n.to_string() }
}

/// How far it is, or what went wrong.
fn note(run: &RunRow) -> String {
    let (settled, all) = (run.settled(), run.settled() + run.pending);
    if run.ended_at.is_none()
        && let Some(eta) = run.eta_secs()
    {
        return format!("{settled} of {all}, {:.1}/s, {eta:.0} s to go", run.rate());
    }
    if run.ended_at.is_none() && run.pending > 0 {
        return format!("{settled} of {all}");
    }
    run.error.clone().unwrap_or_default()
}
