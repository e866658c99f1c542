//! `mangoes jobs`: jobs and their runs.

mod control;
mod edit;
pub(super) mod list;
mod preview;
mod run;
mod runs;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use proto::JobName;
use runtime::Config;

use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List all jobs with their last and next run.
    List,
    /// Show one job with its settings.
    Show {
        /// The job.
        name: JobName,
    },
    /// Show when a job fires next, in its time zone and in UTC.
    Next {
        /// The job.
        name: JobName,
        /// Show this many times.
        #[arg(short = 'n', default_value_t = 10)]
        count: usize,
    },
    /// Pause a job; times that pass meanwhile are listed as skipped runs.
    Pause(control::PauseArgs),
    /// Let a paused job fire again, from its next time on.
    Resume {
        /// The job.
        name: JobName,
    },
    /// Change a job; it takes effect from now on and fires nothing by itself.
    Set(edit::SetArgs),
    /// Create a job.
    Create(edit::CreateArgs),
    /// Remove a job; its runs stay.
    Delete {
        /// The job.
        name: JobName,
    },
    /// Hold all jobs, so that none fires.
    Hold(control::HoldArgs),
    /// Report what is wrong with any job; exit 1 when something is.
    Lint,
    /// Run a job now; its schedule stays as it is.
    Run(run::RunArgs),
    /// End a run; its TMDB calls stop within two seconds.
    Cancel(runs::CancelArgs),
    /// Run those times of a past span that did not run.
    Backfill(run::BackfillArgs),
    /// Show the latest runs.
    Runs(runs::RunsArgs),
}

pub(super) async fn run(config: &Config, verb: JobsCommand, out: Output) -> Result<ExitCode> {
    match verb {
        JobsCommand::List => list::list(config, out).await,
        JobsCommand::Show { name } => list::show(config, &name, out).await,
        JobsCommand::Next { name, count } => preview::next(config, &name, count, out).await,
        JobsCommand::Pause(args) => control::pause(config, args, out).await,
        JobsCommand::Resume { name } => control::resume(config, &name, out).await,
        JobsCommand::Set(args) => edit::set(config, args, out).await,
        JobsCommand::Create(args) => edit::create(config, args, out).await,
        JobsCommand::Delete { name } => control::delete(config, &name, out).await,
        JobsCommand::Hold(args) => control::hold(config, args, out).await,
        JobsCommand::Lint => preview::lint(config, out).await,
        JobsCommand::Run(args) => run::run(config, args, out).await,
        JobsCommand::Cancel(args) => runs::cancel(config, args, out).await,
        JobsCommand::Backfill(args) => run::backfill(config, args, out).await,
        JobsCommand::Runs(args) => runs::runs(config, args, out).await,
    }
}
