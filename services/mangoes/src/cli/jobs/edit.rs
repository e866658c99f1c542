//! `mangoes jobs create` and `set`.

use std::process::ExitCode;

use anyhow::Result;
use calendar::{Gap, Overlap};
use operator::{
    Moment,
    jobs::{self, JobDraft},
};
use proto::{Action, JobLimit, JobName, OverlapPolicy};
use runtime::Config;
use store::JobEdit;
use time::OffsetDateTime;

use super::preview;
use crate::{
    cli::{author::this_user, json_object::JsonObject},
    connect,
    output::{self, Output},
};

/// Times that are shown after a change.
const SHOWN_TIMES: usize = 3;

#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// Its name: 1 to 64 of a-z, 0-9, _ and -.
    name: JobName,
    /// What it does: ingest, scan, refresh or maintain.
    #[arg(long)]
    action: Action,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SetArgs {
    /// The job.
    name: JobName,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// The settings of a job.
#[derive(Debug, clap::Args)]
struct SettingsArgs {
    /// When it fires: cron with 5 to 7 fields, @daily, `every 10m` or `at 2026-12-24T18:00:00Z`;
    /// several are joined by |.
    #[arg(long)]
    schedule: Option<String>,
    /// The time zone of the schedule: an IANA name, as America/Los_Angeles.
    #[arg(long)]
    timezone: Option<String>,
    /// What its action needs, as JSON.
    #[arg(long, value_name = "JSON")]
    payload: Option<JsonObject>,
    /// When the clock skips a time of the schedule: skip, run_after or run_before.
    #[arg(long, value_name = "RULE")]
    gap: Option<Gap>,
    /// When the clock repeats a time of the schedule: first, second or both.
    #[arg(long, value_name = "RULE")]
    overlap: Option<Overlap>,
    /// While a run of it is not over: skip, queue_one, queue_all, allow or cancel_other.
    #[arg(long, value_name = "POLICY")]
    overlap_policy: Option<OverlapPolicy>,
    /// Catch up on missed times that are late by at most this many seconds.
    #[arg(long, value_name = "SECONDS")]
    catch_up: Option<i32>,
    /// Of the missed times, run at most this many; with 1 the latest runs in place of all.
    #[arg(long, value_name = "N")]
    catch_up_max: Option<i32>,
    /// Do not fire in the minutes that this schedule matches, as '* * 25 12 *'.
    #[arg(long, value_name = "SCHEDULE")]
    except: Option<String>,
    /// Fire up to this many seconds later; for one time it is always the same delay.
    #[arg(long, value_name = "SECONDS")]
    jitter: Option<i32>,
    /// Do not fire before: a time, a date (midnight UTC), or a span from now such as 2h30m.
    #[arg(long, value_name = "WHEN")]
    starts: Option<Moment>,
    /// Do not fire after: a time, a date (midnight UTC), or a span from now such as 2h30m.
    #[arg(long, value_name = "WHEN")]
    ends: Option<Moment>,
    /// End after this many runs.
    #[arg(long, value_name = "N")]
    max_runs: Option<i32>,
    /// Report it as overdue after this many seconds without a success.
    #[arg(long, value_name = "SECONDS")]
    overdue_after: Option<i32>,
    /// Treat a run as lost after this many seconds without a sign of it.
    #[arg(long, value_name = "SECONDS")]
    lost_after: Option<i32>,
    /// Start a lost run again at most this many times.
    #[arg(long, value_name = "N")]
    lost_retries: Option<i32>,
    /// Pause it after this many failed runs in a row.
    #[arg(long, value_name = "N")]
    pause_after_failures: Option<i32>,
    /// Take a limit away: exclusions, max_runs, starts_at, ends_at, pause_after_failures or
    /// overdue_after_secs. Repeatable.
    #[arg(long, value_name = "LIMIT")]
    clear: Vec<JobLimit>,
}

impl SettingsArgs {
    fn job_edit(self, now: OffsetDateTime) -> JobEdit {
        JobEdit {
            schedule: self.schedule,
            timezone: self.timezone,
            payload: self.payload.map(|JsonObject(object)| object),
            dst_gap: self.gap,
            dst_overlap: self.overlap,
            overlap_policy: self.overlap_policy,
            catch_up_secs: self.catch_up,
            catch_up_max: self.catch_up_max,
            exclusions: self.except,
            jitter_secs: self.jitter,
            max_runs: self.max_runs,
            starts_at: self.starts.map(|moment| moment.from_now(now)),
            ends_at: self.ends.map(|moment| moment.from_now(now)),
            pause_after_failures: self.pause_after_failures,
            overdue_after_secs: self.overdue_after,
            lost_after_secs: self.lost_after,
            lost_retries: self.lost_retries,
            clear: self.clear,
        }
    }
}

pub(super) async fn create(config: &Config, args: CreateArgs, out: Output) -> Result<ExitCode> {
    let CreateArgs { name, action, settings } = args;
    let client = connect::client(config).await?;
    let settings = settings.job_edit(client.now().await?);
    note_schedule(&settings);
    let draft = JobDraft { name, action, settings };
    let job = client.create(&draft, &this_user()).await?;
    if out.json {
        out.value(&job);
        return Ok(ExitCode::SUCCESS);
    }
    preview::next(config, &draft.name, SHOWN_TIMES, out).await
}

pub(super) async fn set(config: &Config, args: SetArgs, out: Output) -> Result<ExitCode> {
    let SetArgs { name, settings } = args;
    let client = connect::client(config).await?;
    let edit = settings.job_edit(client.now().await?);
    note_schedule(&edit);
    let job = client.set(&name, &edit, &this_user()).await?;
    if out.json {
        out.value(&job);
        return Ok(ExitCode::SUCCESS);
    }
    preview::next(config, &name, SHOWN_TIMES, out).await
}

/// Explains a schedule that is easily misread.
fn note_schedule(edit: &JobEdit) {
    if let Some(words) = edit.schedule.as_deref().and_then(jobs::day_and_weekday) {
        output::note(&format!("note: {words}"));
    }
}
