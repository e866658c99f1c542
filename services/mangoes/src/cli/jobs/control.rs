//! `mangoes jobs pause`, `resume`, `hold` and `delete`.

use std::process::ExitCode;

use anyhow::Result;
use operator::{Moment, answers::Deleted, jobs::PauseRequest};
use proto::JobName;
use runtime::Config;

use crate::{
    cli::author::this_user,
    connect,
    output::{Output, relative},
};

#[derive(Debug, clap::Args)]
pub(crate) struct PauseArgs {
    /// The job.
    name: JobName,
    /// Why it is paused.
    #[arg(long)]
    note: Option<String>,
    /// When it fires again by itself: a time, a date (midnight UTC), or a span from now such as
    /// 2h30m.
    #[arg(long, value_name = "WHEN")]
    until: Option<Moment>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct HoldArgs {
    /// Release them.
    #[arg(long)]
    off: bool,
    /// Why they are held.
    #[arg(long)]
    note: Option<String>,
}

pub(super) async fn pause(config: &Config, args: PauseArgs, out: Output) -> Result<ExitCode> {
    let PauseArgs { name, note, until } = args;
    let client = connect::client(config).await?;
    let request = PauseRequest { name, note, until };
    let job = client.pause(&request, &this_user()).await?;
    out.say(&format!(
        "{0} is paused; times that pass meanwhile are listed as skipped runs. `mangoes jobs \
         resume {0}` lets it fire again",
        job.name
    ));
    out.json_only(&job);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn resume(config: &Config, name: &str, out: Output) -> Result<ExitCode> {
    let client = connect::client(config).await?;
    let job = client.resume(name, &this_user()).await?;
    out.say(&format!("{name} fires again: next {}", relative(job.next_at, client.now().await?)));
    out.json_only(&job);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn delete(config: &Config, name: &JobName, out: Output) -> Result<ExitCode> {
    let client = connect::client(config).await?;
    client.delete(name, &this_user()).await?;
    out.say(&format!(
        "{name} is deleted; `mangoes jobs runs` shows its runs for a while, and no other job can \
         have its name"
    ));
    out.json_only(&Deleted { deleted: name.clone() });
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn hold(config: &Config, args: HoldArgs, out: Output) -> Result<ExitCode> {
    let client = connect::client(config).await?;
    let note = args.note.as_deref();
    let jobs = client.hold(!args.off, note, &this_user()).await?;
    if args.off {
        out.say("all jobs are released; each fires at its next time");
    } else {
        out.say("all jobs are held; `mangoes jobs hold --off` releases them");
    }
    out.json_only(&jobs);
    Ok(ExitCode::SUCCESS)
}
