//! `mangoes jobs run` and `backfill`.

use std::process::ExitCode;

use anyhow::Result;
use operator::{
    Moment,
    answers::{Backfill, Started},
    jobs::{BackfillRequest, DryRun, RunRequest},
};
use proto::{Action, JobName};
use runtime::Config;
use store::{BackfillOutcome, Backfilled};

use crate::{
    cli::{author::this_user, follow, json_object::JsonObject},
    connect,
    output::{Output, rfc3339},
};

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The job.
    name: JobName,
    /// Run it also while a run of it is not over.
    #[arg(long)]
    force: bool,
    /// Fields that replace those of its payload, as JSON.
    #[arg(long, value_name = "JSON")]
    payload: Option<JsonObject>,
    /// Wait for the end.
    #[arg(long)]
    follow: bool,
    /// Only say what it would do.
    #[arg(long, conflicts_with = "follow")]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct BackfillArgs {
    /// The job.
    name: JobName,
    /// First time, as 2026-11-01T00:00:00Z, or a date: its midnight in UTC.
    #[arg(long, value_name = "WHEN")]
    from: Moment,
    /// Last time, or a date: its midnight in UTC.
    #[arg(long, value_name = "WHEN", default_value = "now")]
    to: Moment,
    /// Only say which times would run.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(config: &Config, args: RunArgs, out: Output) -> Result<ExitCode> {
    let RunArgs { name, force, payload, follow, dry_run } = args;
    let payload = payload.map(|JsonObject(object)| object);
    let request = RunRequest { name, payload, force };
    let client = connect::client(config).await?;
    if dry_run {
        print_dry_run(&client.dry_run(&request, config.tmdb_rate).await?, out);
        return Ok(ExitCode::SUCCESS);
    }
    let run_id = client.run(&request, &this_user()).await?;
    if follow {
        return follow::run_to_its_end(&client, &run_id, out).await;
    }
    out.say(&format!(
        "{run_id} is queued; the schedule stays as it is. `mangoes jobs runs {}` shows it",
        request.name
    ));
    if out.json {
        out.value(&Started { run_id });
    }
    Ok(ExitCode::SUCCESS)
}

fn print_dry_run(plan: &DryRun, out: Output) {
    if out.json {
        out.value(plan);
        return;
    }
    let time = plan.estimated_secs.map_or_else(
        || "as fast as TMDB answers".to_owned(),
        |secs| format!("about {secs:.0} s at the rate of this moment"),
    );
    let mut pairs = vec![
        ("it would", action_words(plan.action).to_owned()),
        ("movies", plan.movies.to_string()),
        ("TMDB calls", format!("about {}", plan.tmdb_calls)),
        ("time", time),
    ];
    if !plan.sample.is_empty() {
        pairs.push(("first titles", plan.sample.join(", ")));
    }
    out.pairs(&pairs);
}

const fn action_words(action: Action) -> &'static str {
    match action {
        Action::Ingest => "read the pages of the list and ingest at most this many new titles",
        Action::Scan => "queue the movies that are due, the longest due first; each costs one call",
        Action::Refresh => "publish the queue rows that nobody works on; each costs one call",
        Action::Feed => {
            "read the days of TMDB's change feed that are not read for good, and read again the \
             movies that they name and the catalogue has"
        }
        Action::Maintain => "remove rows that are older than they are kept; TMDB is not called",
    }
}

pub(super) async fn backfill(config: &Config, args: BackfillArgs, out: Output) -> Result<ExitCode> {
    let BackfillArgs { name, from, to, dry_run } = args;
    let client = connect::client(config).await?;
    let now = client.now().await?;
    let (from, to) = (from.from_now(now), to.from_now(now));
    let request = BackfillRequest { name, from, to, dry_run };
    let runs = client.backfill(&request, &this_user()).await?;
    let row = |time: &Backfilled| {
        vec![
            rfc3339(time.scheduled_for),
            outcome_words(time.outcome).to_owned(),
            time.run_id.clone(),
        ]
    };
    let rows = runs.iter().map(row).collect();
    out.table(&Backfill { runs }, &["TIME", "OUTCOME", "RUN"], rows);
    Ok(ExitCode::SUCCESS)
}

const fn outcome_words(outcome: BackfillOutcome) -> &'static str {
    match outcome {
        BackfillOutcome::There => "ran before",
        BackfillOutcome::WouldRun => "would run",
        BackfillOutcome::Queued | BackfillOutcome::Waiting => outcome.as_str(),
    }
}
