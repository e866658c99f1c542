//! `mangoes jobs`: the words of the command line.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use runtime::Config;

use crate::{jobs, show};

#[derive(Debug, Subcommand)]
pub(crate) enum Jobs {
    /// All jobs with their last and next run.
    List,
    /// One job with its policies.
    Show {
        /// Its name.
        name: String,
    },
    /// When it fires next, in its zone and in UTC.
    Next {
        /// Its name.
        name: String,
        /// How many times.
        #[arg(short = 'n', default_value_t = 10)]
        count: usize,
    },
    /// Stop firing; the nominal times that pass leave rows that say so.
    Pause {
        /// Its name.
        name: String,
        /// Why.
        #[arg(long)]
        note: Option<String>,
        /// Go on by itself then: an instant, or a span such as 2h.
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
    },
    /// Fire again, from the next nominal time on.
    Resume {
        /// Its name.
        name: String,
    },
    /// Change a job; it takes effect from now on and fires nothing by itself.
    Set {
        /// Its name.
        name: String,
        #[command(flatten)]
        edit: Edit,
    },
    /// Make a new job.
    Create {
        /// 1 to 64 of a-z, 0-9, _ and -.
        name: String,
        /// ingest, scan, refresh or maintain.
        #[arg(long)]
        action: proto::Action,
        #[command(flatten)]
        edit: Edit,
    },
    /// Remove a job; its runs stay.
    Delete {
        /// Its name.
        name: String,
    },
    /// Hold all jobs.
    Hold {
        /// Let them go on.
        #[arg(long)]
        off: bool,
        /// Why.
        #[arg(long)]
        note: Option<String>,
    },
    /// Say what is wrong with any job; exit 1 when something is.
    Lint,
    /// Run a job now; its schedule stays as it is.
    Run {
        /// Its name.
        name: String,
        /// Also while a run of it is not over.
        #[arg(long)]
        force: bool,
        /// Fields that replace those of its payload, as JSON.
        #[arg(long, value_name = "JSON")]
        payload: Option<String>,
        /// Wait for the end.
        #[arg(long)]
        follow: bool,
        /// Only say what it would do.
        #[arg(long, conflicts_with = "follow")]
        dry_run: bool,
    },
    /// End a run; its requests stop within two seconds.
    Cancel {
        /// A run's id, or a job whose open run is meant.
        run: String,
        /// Why.
        #[arg(long)]
        note: Option<String>,
    },
    /// Run the nominal times of a past span that did not run.
    Backfill {
        /// Its name.
        name: String,
        /// First instant, as 2026-11-01T00:00:00Z.
        #[arg(long)]
        from: String,
        /// Last instant.
        #[arg(long, default_value = "now")]
        to: String,
        /// Only say which.
        #[arg(long)]
        dry_run: bool,
    },
    /// Latest runs.
    Runs {
        /// Of this job only.
        name: Option<String>,
        /// How many.
        #[arg(short = 'n', default_value_t = 20)]
        limit: i64,
    },
}

/// What can be said about a job.
#[derive(Debug, clap::Args)]
pub(crate) struct Edit {
    /// Cron with 5 to 7 fields, @daily, `every 10m`, `at 2026-12-24T18:00:00Z`; several joined by
    /// |.
    #[arg(long)]
    schedule: Option<String>,
    /// IANA name, as America/Los_Angeles.
    #[arg(long)]
    timezone: Option<String>,
    /// What its action needs, as JSON.
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    /// When the clock skips its time: skip, run_after or run_before.
    #[arg(long, value_name = "RULE")]
    gap: Option<String>,
    /// When the clock repeats its time: first, second or both.
    #[arg(long, value_name = "RULE")]
    overlap: Option<String>,
    /// While a run of it is not over: skip, queue_one, queue_all, allow or cancel_other.
    #[arg(long, value_name = "RULE")]
    overlap_policy: Option<String>,
    /// Make up for what was missed by at most so many seconds.
    #[arg(long, value_name = "SECONDS")]
    catch_up: Option<i32>,
    /// Of what was missed, at most so many run; with 1 the latest stands for all.
    #[arg(long, value_name = "N")]
    catch_up_max: Option<i32>,
    /// Not in the minutes that this schedule matches, as '* * 25 12 *'.
    #[arg(long, value_name = "SCHEDULE")]
    except: Option<String>,
    /// Fire up to so many seconds later, always the same for the same time.
    #[arg(long, value_name = "SECONDS")]
    jitter: Option<i32>,
    /// Not before: an instant, or a span such as 2h.
    #[arg(long, value_name = "WHEN")]
    starts: Option<String>,
    /// Not after.
    #[arg(long, value_name = "WHEN")]
    ends: Option<String>,
    /// End after so many runs.
    #[arg(long, value_name = "N")]
    max_runs: Option<i32>,
    /// Say `overdue` after so many seconds without a success.
    #[arg(long, value_name = "SECONDS")]
    overdue_after: Option<i32>,
    /// Take a run for lost after so many seconds without a sign of it.
    #[arg(long, value_name = "SECONDS")]
    lost_after: Option<i32>,
    /// Begin a lost run anew so often.
    #[arg(long, value_name = "N")]
    lost_retries: Option<i32>,
    /// Pause after so many failed runs in a row.
    #[arg(long, value_name = "N")]
    pause_after_failures: Option<i32>,
    /// Take a limit away: exclusions, max_runs, starts_at, ends_at, pause_after_failures or
    /// overdue_after_secs. Repeatable.
    #[arg(long, value_name = "LIMIT")]
    clear: Vec<String>,
}

impl Edit {
    fn job_edit(&self) -> Result<store::JobEdit> {
        let payload = self.payload.as_deref().map(serde_json::from_str).transpose();
        let instant =
            |text: &Option<String>| text.as_deref().map(operator::jobs::instant).transpose();
        Ok(store::JobEdit {
            schedule: self.schedule.clone(),
            timezone: self.timezone.clone(),
            payload: payload
                .map_err(|e| runtime::ConfigError(format!("--payload is no JSON: {e}")))?,
            dst_gap: self.gap.clone(),
            dst_overlap: self.overlap.clone(),
            overlap_policy: self.overlap_policy.clone(),
            catch_up_secs: self.catch_up,
            catch_up_max: self.catch_up_max,
            exclusions: self.except.clone(),
            jitter_secs: self.jitter,
            max_runs: self.max_runs,
            starts_at: instant(&self.starts)?,
            ends_at: instant(&self.ends)?,
            pause_after_failures: self.pause_after_failures,
            overdue_after_secs: self.overdue_after,
            lost_after_secs: self.lost_after,
            lost_retries: self.lost_retries,
            clear: self.clear.clone(),
        })
    }
}

/// Does what the verb says.
pub(super) async fn run(config: &Config, verb: Jobs, out: show::Out) -> Result<ExitCode> {
    match verb {
        Jobs::List => jobs::list(config, out).await?,
        Jobs::Show { name } => jobs::show(config, &name, out).await?,
        Jobs::Next { name, count } => jobs::next(config, (&name, count), out).await?,
        Jobs::Pause { name, note, until } => {
            jobs::pause(config, &name, (note.as_deref(), until.as_deref()), out).await?
        }
        Jobs::Resume { name } => jobs::resume(config, &name, out).await?,
        Jobs::Set { name, edit } => jobs::set(config, &name, &edit.job_edit()?, out).await?,
        Jobs::Create { name, action, edit } => {
            jobs::create(config, (&name, action.as_str()), &edit.job_edit()?, out).await?
        }
        Jobs::Delete { name } => jobs::delete(config, &name, out).await?,
        Jobs::Hold { off, note } => jobs::hold(config, (off, note.as_deref()), out).await?,
        Jobs::Lint => return jobs::lint(config, out).await,
        Jobs::Run { name, force, payload, follow, dry_run } => {
            return jobs::run(
                config,
                (&name, payload.as_deref()),
                jobs::How { follow, force, dry_run },
                out,
            )
            .await;
        }
        Jobs::Cancel { run, note } => jobs::cancel(config, (&run, note.as_deref()), out).await?,
        Jobs::Backfill { name, from, to, dry_run } => {
            jobs::backfill(config, (&name, &from, &to), dry_run, out).await?
        }
        Jobs::Runs { name, limit } => jobs::runs(config, (name.as_deref(), limit), out).await?,
    }
    Ok(ExitCode::SUCCESS)
}
