//! `mangoes jobs runs` and `cancel`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use operator::{Client, jobs::RunFilter};
use proto::JobName;
use runtime::Config;

use crate::{
    cli::{author::this_user, run_table::print_runs},
    connect,
    output::Output,
};

#[derive(Debug, clap::Args)]
pub(crate) struct RunsArgs {
    /// Only of this job.
    name: Option<JobName>,
    /// Show at most this many runs.
    #[arg(short = 'n', default_value_t = 20)]
    limit: i64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CancelArgs {
    /// The id of a run, or a job whose open run is meant.
    run: RunOrJob,
    /// Why it is cancelled.
    #[arg(long)]
    note: Option<String>,
}

/// A run, by its id or by its job. The id of a run has an @ in it.
#[derive(Debug, Clone)]
enum RunOrJob {
    Run(String),
    Job(JobName),
}

impl std::str::FromStr for RunOrJob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            return Ok(Self::Run(text.to_owned()));
        }
        text.parse().map(Self::Job)
    }
}

pub(super) async fn runs(config: &Config, args: RunsArgs, out: Output) -> Result<ExitCode> {
    let client = connect::client_to_read(config).await?;
    let filter = RunFilter { name: args.name, run_id: None, limit: Some(args.limit) };
    let runs = client.runs(&filter).await?;
    if runs.is_empty() && !out.json {
        out.say(
            "no runs yet: `mangoes jobs list` shows when the next one starts, `mangoes jobs run \
             NAME` starts one now",
        );
        return Ok(ExitCode::SUCCESS);
    }
    print_runs(runs, client.now().await?, out);
    Ok(ExitCode::SUCCESS)
}

async fn run_to_cancel(client: &Client, named: RunOrJob) -> Result<String> {
    match named {
        RunOrJob::Run(run_id) => Ok(run_id),
        RunOrJob::Job(name) => match client.open_run(&name).await? {
            Some(run_id) => Ok(run_id),
            None => bail!("{name} has no open run; `mangoes jobs runs {name}` shows its runs"),
        },
    }
}

pub(super) async fn cancel(config: &Config, args: CancelArgs, out: Output) -> Result<ExitCode> {
    let client = connect::client(config).await?;
    let run_id = run_to_cancel(&client, args.run).await?;
    let view = client.cancel(&run_id, args.note.as_deref(), &this_user()).await?;
    let run = &view.run;
    out.say(&format!(
        "{run_id} is cancelled: {} done, {} failed, {} left undone",
        run.done, run.failed, run.cancelled
    ));
    out.json_only(&view);
    Ok(ExitCode::SUCCESS)
}
