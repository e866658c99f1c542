//! `mangoes status`: freshness, backlog, TMDB calls, dead letters.

use std::process::ExitCode;

use anyhow::Result;
use operator::{
    Client,
    status::{Fault, faults},
};
use runtime::Config;
use store::{Band, BudgetRow, FeedState, LongWait, Status};
use time::OffsetDateTime;

use crate::{
    cli::migration_plan,
    connect,
    output::{self, Output, counted, percent, relative, rfc3339},
};

/// What helps where TMDB refuses the credential.
const NEW_CREDENTIAL: &str = "set another TMDB_TOKEN or TMDB_API_KEY and restart, or write it into \
                              the file of TMDB_TOKEN_FILE, which is read again";
/// Exit code of `status --check` when the freshness promise is not kept.
const NOT_FRESH: u8 = 3;

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Exit 3 when a title is older than its policy allows, when TMDB refuses the credential, when
    /// a message has waited for more than an hour, or when a job is paused because its schedule
    /// cannot be read.
    #[arg(long)]
    check: bool,
}

pub(super) async fn run(config: &Config, args: &StatusArgs, out: Output) -> Result<ExitCode> {
    let client = connect::client_to_read(config).await?;
    let status = show(&client, out).await?;
    let faults = faults(&status);
    if !args.check || faults.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !out.json {
        faults.iter().for_each(|fault| output::note(&format!("mangoes: {}", fault_words(fault))));
    }
    Ok(ExitCode::from(NOT_FRESH))
}

/// Reads and prints the status.
pub(super) async fn show(client: &Client, out: Output) -> Result<Status> {
    let status = client.status().await?;
    if out.json {
        out.value(&status);
        return Ok(status);
    }
    let now = client.now().await?;
    output::line(&format!(
        "Fresh: {} of {} titles within policy, counted {}",
        percent(status.fresh, status.titles),
        status.titles,
        relative(status.counted_at, now)
    ));
    let rows = status.bands.iter().map(band_row).collect();
    out.table(&status.bands, &["BAND", "EVERY", "TITLES", "FRESH", "DUE"], rows);
    out.pairs(&totals(&status, now));
    for wait in &status.long_waits {
        out.pairs(&[("waiting", waiting_words(wait))]);
    }
    for job in &status.unreadable_jobs {
        out.pairs(&[("paused job", format!("{}: {}", job.name, job.reason))]);
    }
    migration_plan::old_job_lines(&status.old_jobs).iter().for_each(|line| output::line(line));
    // Only whoever sees the database can be told what it cannot see.
    if let Client::Database(store) = client {
        let unseen = store.old_jobs_unseen().await?;
        let lines = unseen.iter().flat_map(migration_plan::finding_lines);
        lines.for_each(|line| output::line(&line));
    }
    Ok(status)
}

fn band_row(band: &Band) -> Vec<String> {
    vec![
        band.band.clone(),
        format!("{} d", band.interval_days),
        band.titles.to_string(),
        band.fresh.to_string(),
        (band.titles - band.fresh).to_string(),
    ]
}

fn totals(status: &Status, now: OffsetDateTime) -> Vec<(&'static str, String)> {
    let queue = format!("{} queued, {} processing", status.queued, status.processing);
    let calls = format!(
        "{} calls, {} errors, {} rate limited (429)",
        status.calls_last_hour, status.errors_last_hour, status.refused_last_hour
    );
    vec![
        ("refresh queue", queue),
        ("open runs", status.open_runs.to_string()),
        ("unsent events", status.outbox.to_string()),
        ("TMDB, last hour", calls),
        ("TMDB budget", budget_words(&status.budget, now)),
        ("change feed", feed_words(&status.feed, now)),
        ("removed from TMDB", status.removed.to_string()),
        ("incomplete", incomplete_words(status.incomplete)),
        ("dead letters", status.dead_letters.to_string()),
    ]
}

fn incomplete_words(titles: i64) -> String {
    let lacking = counted(titles.unsigned_abs(), "title");
    if titles == 0 { lacking } else { format!("{lacking}; asked for again within hours") }
}

/// When the change feed was read, and what became of it.
fn feed_words(feed: &FeedState, now: OffsetDateTime) -> String {
    let Some(read_at) = feed.read_at else { return "not read yet".to_owned() };
    let waiting = counted(feed.waiting.unsigned_abs(), "title");
    let gap = feed.gap_at.map(|at| {
        format!(
            "; {} were never read, up to {}: the ages of their movies carry them",
            counted(u64::from(feed.gap_days.unsigned_abs()), "day"),
            relative(Some(at), now)
        )
    });
    format!(
        "read {}, {waiting} wait for TMDB's caches{}",
        relative(Some(read_at), now),
        gap.unwrap_or_default()
    )
}

/// What slows or stops TMDB calls at the moment.
fn budget_words(budget: &BudgetRow, now: OffsetDateTime) -> String {
    let mut words = Vec::new();
    if let Some(at) = budget.credential_refused_at {
        words.push(format!(
            "STOPPED {}: TMDB refuses the credential; {NEW_CREDENTIAL}",
            relative(Some(at), now)
        ));
    }
    if budget.paused_until.is_some() {
        words.push(format!("paused after a 429, goes on {}", relative(budget.paused_until, now)));
    }
    words.extend(
        budget.lowered_rate.map(|rate| format!("lowered to {rate:.1} calls/s after a 429")),
    );
    if budget.calls_not_logged > 0 {
        words.push(format!("{} calls were not logged", budget.calls_not_logged));
    }
    if words.is_empty() { "as configured".to_owned() } else { words.join("; ") }
}

/// What a person has to know of messages that wait and wait.
fn waiting_words(wait: &LongWait) -> String {
    let why = wait.error.as_deref().unwrap_or("the work on it goes on");
    format!(
        "{} of {} unfinished for more than an hour, the first since {}: {why}",
        counted(wait.messages.unsigned_abs(), "message"),
        wait.consumer,
        rfc3339(wait.since)
    )
}

fn fault_words(fault: &Fault) -> String {
    match fault {
        Fault::Late(titles) => {
            format!("not fresh: {titles} titles were refreshed longer ago than their policy allows")
        }
        Fault::CredentialRefused => {
            format!("TMDB refuses the credential: {NEW_CREDENTIAL}")
        }
        Fault::Waiting(wait) => waiting_words(wait),
        Fault::UnreadableJob(job) => format!(
            "job {0} is paused: {1}; `mangoes jobs set {0} --schedule ...` corrects it",
            job.name, job.reason
        ),
    }
}
