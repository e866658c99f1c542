//! `mangoes jobs list` and `show`.

use std::process::ExitCode;

use anyhow::Result;
use operator::jobs::Jobs;
use proto::RunState;
use runtime::Config;
use store::JobRow;
use time::OffsetDateTime;

use crate::{
    connect,
    output::{Output, WideTable, counted, relative, rfc3339},
};

/// Runs in the strip of marks.
const STRIP: usize = 30;
const MARKS: &str = "(+ succeeded, ~ partial, ! failed or lost, x cancelled, . skipped, > open)";

pub(super) async fn list(config: &Config, out: Output) -> Result<ExitCode> {
    let client = connect::client_to_read(config).await?;
    print_jobs(&client.jobs().await?, client.now().await?, out);
    Ok(ExitCode::SUCCESS)
}

pub(in crate::cli) fn print_jobs(all: &Jobs, now: OffsetDateTime, out: Output) {
    if let Some(why) = &all.held {
        out.say(&format!("ALL JOBS ARE HELD: {why}; `mangoes jobs hold --off` releases them"));
    }
    let row = |job: &JobRow| {
        vec![
            job.name.to_string(),
            job.schedule.clone(),
            job.timezone.clone(),
            next_words(job, now),
            last_words(job, now),
            strip(&job.history),
        ]
    };
    let rows = all.jobs.iter().map(row).collect();
    let head = ["NAME", "SCHEDULE", "ZONE", "NEXT", "LAST", "RUNS"];
    out.wide_table(all, WideTable { head: &head, less: &["RUNS", "ZONE"], rows });
}

/// The last runs as marks, oldest first.
fn strip(history: &[RunState]) -> String {
    history.iter().take(STRIP).rev().map(|state| mark(*state)).collect()
}

const fn mark(state: RunState) -> char {
    match state {
        RunState::Succeeded => '+',
        RunState::Partial => '~',
        RunState::Failed | RunState::Lost => '!',
        RunState::Cancelled => 'x',
        RunState::Skipped => '.',
        RunState::Waiting | RunState::Queued | RunState::Running => '>',
    }
}

fn last_words(job: &JobRow, now: OffsetDateTime) -> String {
    let overdue = if job.overdue_since.is_some() { ", OVERDUE" } else { "" };
    let Some(at) = job.last_fired_at else { return format!("never{overdue}") };
    let status = job.last_status.map(RunState::as_str).unwrap_or_default();
    format!("{status} {}{overdue}", relative(Some(at), now))
}

/// When the job fires next, or why it does not.
pub(super) fn next_words(job: &JobRow, now: OffsetDateTime) -> String {
    if job.enabled {
        return match (job.next_at, job.max_runs) {
            (None, Some(max)) if job.runs_done >= i64::from(max) => {
                format!("ended after {max} runs")
            }
            (next, _) => relative(next, now),
        };
    }
    let until = job.paused_until.map(|at| format!(", goes on {},", relative(Some(at), now)));
    let by = job.paused_by.as_deref().unwrap_or("someone");
    let note = job.note.as_deref().map(|note| format!(": {note}"));
    format!("paused{} by {by}{}", until.unwrap_or_default(), note.unwrap_or_default())
}

pub(super) async fn show(config: &Config, name: &str, out: Output) -> Result<ExitCode> {
    let client = connect::client_to_read(config).await?;
    let (job, now) = (client.job(name).await?, client.now().await?);
    if out.json {
        out.value(&job);
        return Ok(ExitCode::SUCCESS);
    }
    let mut pairs = settings(&job, now);
    pairs.extend(limits(&job, now));
    pairs.push(("revision", job.revision.to_string()));
    out.pairs(&pairs);
    Ok(ExitCode::SUCCESS)
}

/// What every job has.
fn settings(job: &JobRow, now: OffsetDateTime) -> Vec<(&'static str, String)> {
    let next =
        format!("{}   {}", next_words(job, now), job.next_at.map(rfc3339).unwrap_or_default());
    let latest = match job.catch_up_max {
        1 => "the latest".to_owned(),
        n => format!("the {n} latest"),
    };
    let catch_up = format!("{latest} of the times missed within {} s", job.catch_up_secs);
    let pauses = job
        .pause_after_failures
        .map_or_else(|| "never".to_owned(), |n| format!("after {n} failed in a row"));
    let lost = format!(
        "after {} s without a sign of the run; restarted at most {}",
        job.lost_after_secs,
        times(job.lost_retries)
    );
    vec![
        ("name", job.name.to_string()),
        ("action", job.action.to_string()),
        ("payload", job.payload.to_string()),
        ("schedule", format!("{}   {}", job.schedule, job.timezone)),
        ("next", next),
        ("last", last_words(job, now)),
        ("runs", format!("{}   {MARKS}", strip(&job.history))),
        ("when clocks skip", job.dst_gap.as_str().to_owned()),
        ("when clocks repeat", job.dst_overlap.as_str().to_owned()),
        ("overlapping runs", job.overlap_policy.to_string()),
        ("catch-up", catch_up),
        ("pauses itself", pauses),
        ("lost runs", lost),
    ]
}

fn times(n: i32) -> String {
    counted(u64::try_from(n).unwrap_or(0), "time")
}

/// What only some jobs have.
fn limits(job: &JobRow, now: OffsetDateTime) -> impl Iterator<Item = (&'static str, String)> {
    let jitter = Some(job.jitter_secs).filter(|secs| *secs > 0);
    [
        ("except", job.exclusions.clone()),
        ("starts", job.starts_at.map(rfc3339)),
        ("ends", job.ends_at.map(rfc3339)),
        ("jitter", jitter.map(|secs| format!("up to {secs} s later"))),
        ("limit", job.max_runs.map(|n| format!("{} of {n} runs done", job.runs_done))),
        ("overdue", job.overdue_after_secs.map(|secs| overdue_words(job, secs, now))),
        ("note", job.note.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
}

fn overdue_words(job: &JobRow, after_secs: i32, now: OffsetDateTime) -> String {
    job.overdue_since.map_or_else(
        || format!("after {after_secs} s without a success"),
        |at| format!("YES, {}: no success for {after_secs} s", relative(Some(at), now)),
    )
}
