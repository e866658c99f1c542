//! Runs as a table.

use operator::{answers::Runs, jobs::RunView};
use store::RunRow;
use time::OffsetDateTime;

use crate::output::{Output, WideTable, duration, relative};

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

/// What a narrow terminal does without, the first of them first.
const LESS: [&str; 5] = ["NOT NEEDED", "SKIPPED", "CHECKED", "TRIGGER", "TMDB CALLS"];

pub(super) fn print_runs(runs: Vec<RunView>, now: OffsetDateTime, out: Output) {
    let rows = runs.iter().map(|view| row(&view.run, now)).collect();
    out.wide_table(&Runs { runs }, WideTable { head: &HEAD, less: &LESS, rows });
}

/// One run alone.
pub(super) fn print_run(view: &RunView, now: OffsetDateTime, out: Output) {
    let rows = vec![row(&view.run, now)];
    out.wide_table(view, WideTable { head: &HEAD, less: &LESS, rows });
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
        duration(run.duration_secs),
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
