//! `mangoes jobs`: the verbs of the crate `api`, printed for people.

use std::process::ExitCode;

use anyhow::{Result, bail};
use operator::{Author, jobs};
use proto::RunState;
use runtime::{Clock, Config, ConfigError, SystemClock};
use serde_json::{Value, json};
use store::{BackfillOutcome, JobEdit, JobRow, RunRow, Store};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    show::{self, Out, millis, relative},
    verbs, world,
};

/// Runs in the strip of marks.
const STRIP: usize = 30;

/// Who is at it, as the audit shows it.
pub(crate) fn me() -> Author {
    let user = ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| "someone".to_owned());
    Author { by: format!("{user} (mangoes)"), request_id: None }
}

fn json_object(text: Option<&str>) -> Result<Option<Value>> {
    let Some(text) = text else { return Ok(None) };
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(Some(value)),
        Ok(_) => {
            bail!(ConfigError("--payload is no JSON object; use '{\"limit\": 100}'".to_owned()))
        }
        Err(e) => bail!(ConfigError(format!("--payload is no JSON object: {e}"))),
    }
}

/// How a job is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub(crate) follow: bool,
    pub(crate) force: bool,
    pub(crate) dry_run: bool,
}

pub(crate) async fn run(
    config: &Config,
    (name, payload): (&str, Option<&str>),
    how: How,
    out: Out,
) -> Result<ExitCode> {
    let payload = json_object(payload)?;
    let store = world::connect_migrated(config).await?;
    if how.dry_run {
        print_dry_run(&jobs::dry_run(&store, name, payload.as_ref(), config.tmdb_rate).await?, out);
        return Ok(ExitCode::SUCCESS);
    }
    let run_id = match jobs::run(&store, name, (payload.as_ref(), how.force), &me()).await {
        Err(operator::ApiError::Refused(why)) => {
            bail!("{why}; --force runs it all the same, `mangoes jobs cancel` ends the other")
        }
        run_id => run_id?,
    };
    if how.follow {
        return verbs::follow(config, &run_id, out).await;
    }
    out.say(&format!(
        "{run_id} is queued; the schedule stays as it is. `mangoes jobs runs {name}` shows it"
    ));
    if out.json {
        out.value(&json!({"run_id": run_id}));
    }
    Ok(ExitCode::SUCCESS)
}

fn print_dry_run(plan: &jobs::DryRun, out: Out) {
    if out.json {
        out.value(plan);
        return;
    }
    let time = plan.seconds.map_or_else(
        || "as fast as TMDB answers".to_owned(),
        |s| format!("about {s:.0} s at today's rate"),
    );
    let mut pairs = vec![
        ("would", plan.words.clone()),
        ("movies", plan.movies.to_string()),
        ("TMDB calls", format!("about {}", plan.tmdb_calls)),
        ("time", time),
    ];
    if !plan.sample.is_empty() {
        pairs.push(("first", plan.sample.join(", ")));
    }
    out.pairs(&pairs);
}

/// The last runs as marks, oldest first.
fn strip(history: &[RunState]) -> String {
    let mark = |state: &RunState| match state {
        RunState::Succeeded => '+',
        RunState::Partial => '~',
        RunState::Failed | RunState::Lost => '!',
        RunState::Cancelled => 'x',
        RunState::Skipped => '.',
        RunState::Waiting | RunState::Queued | RunState::Running => '>',
    };
    history.iter().take(STRIP).rev().map(mark).collect()
}

pub(crate) async fn list(config: &Config, out: Out) -> Result<()> {
    let all = jobs::list(&world::connect_migrated(config).await?).await?;
    let now = SystemClock.now();
    if let Some(why) = &all.held {
        out.say(&format!("ALL JOBS ARE HELD: {why}; `mangoes jobs hold --off` lets them go on"));
    }
    let rows = all
        .jobs
        .iter()
        .map(|j| {
            vec![
                j.name.to_string(),
                j.schedule.clone(),
                j.timezone.clone(),
                next_words(j, now),
                last_words(j, now),
                strip(&j.history),
            ]
        })
        .collect();
    out.table(&all, &["NAME", "SCHEDULE", "ZONE", "NEXT", "LAST", "RUNS"], rows);
    Ok(())
}

fn last_words(job: &JobRow, now: OffsetDateTime) -> String {
    let overdue = if job.overdue_since.is_some() { ", OVERDUE" } else { "" };
    match job.last_fired_at {
        Some(at) => format!(
            "{} {}{overdue}",
            job.last_status.map(RunState::as_str).unwrap_or_default(),
            relative(Some(at), now)
        ),
        None => format!("never{overdue}"),
    }
}

fn next_words(job: &JobRow, now: OffsetDateTime) -> String {
    if job.enabled {
        return match (job.next_at, job.max_runs) {
            (None, Some(max)) if job.runs_done >= i64::from(max) => {
                format!("ended after {max} runs")
            }
            (next, _) => relative(next, now),
        };
    }
    let until = job
        .paused_until
        .map(|at| format!(", goes on {},", relative(Some(at), now)))
        .unwrap_or_default();
    let note = job.note.as_deref().map(|n| format!(": {n}")).unwrap_or_default();
    format!("paused{until} by {}{note}", job.paused_by.as_deref().unwrap_or("someone"))
}

pub(crate) async fn show(config: &Config, name: &str, out: Out) -> Result<()> {
    let job = jobs::get(&world::connect_migrated(config).await?, name).await?;
    if out.json {
        out.value(&job);
        return Ok(());
    }
    let now = SystemClock.now();
    let fails = job
        .pause_after_failures
        .map_or_else(|| "never".to_owned(), |n| format!("after {n} failed runs in a row"));
    let stamp = |at: Option<OffsetDateTime>| at.and_then(|at| at.format(&Rfc3339).ok());
    let mut pairs = vec![
        ("name", job.name.to_string()),
        ("action", job.action.to_string()),
        ("payload", job.payload.to_string()),
        ("schedule", format!("{}   {}", job.schedule, job.timezone)),
        ("next", format!("{}   {}", next_words(&job, now), stamp(job.next_at).unwrap_or_default())),
        ("last", last_words(&job, now)),
        (
            "runs",
            format!(
                "{}   (+ succeeded, ~ partial, ! failed, x cancelled, . did not run, > goes on)",
                strip(&job.history)
            ),
        ),
        ("when clocks skip", job.dst_gap.as_str().to_owned()),
        ("when clocks repeat", job.dst_overlap.as_str().to_owned()),
        ("overlapping runs", job.overlap_policy.to_string()),
        (
            "makes up for",
            format!("{} of what was missed by at most {} s", job.catch_up_max, job.catch_up_secs),
        ),
        ("pauses itself", fails),
        (
            "lost runs",
            format!(
                "after {} s without a sign; begun anew {} times",
                job.lost_after_secs, job.lost_retries
            ),
        ),
    ];
    let limits = [
        ("except", job.exclusions.clone()),
        ("from", stamp(job.starts_at)),
        ("until", stamp(job.ends_at)),
        ("jitter", Some(job.jitter_secs).filter(|s| *s > 0).map(|s| format!("up to {s} s later"))),
        ("limit", job.max_runs.map(|n| format!("{} of {n} runs done", job.runs_done))),
        ("overdue", job.overdue_after_secs.map(|s| overdue_words(&job, s, now))),
        ("note", job.note.clone()),
    ];
    pairs.extend(limits.into_iter().filter_map(|(name, value)| value.map(|v| (name, v))));
    pairs.push(("revision", job.revision.to_string()));
    out.pairs(&pairs);
    Ok(())
}

fn overdue_words(job: &JobRow, after: i32, now: OffsetDateTime) -> String {
    match job.overdue_since {
        Some(at) => format!("YES, {}: no success for {after} s", relative(Some(at), now)),
        None => format!("after {after} s without a success"),
    }
}

pub(crate) async fn runs(
    config: &Config,
    (name, limit): (Option<&str>, i64),
    out: Out,
) -> Result<()> {
    let store = world::connect_migrated(config).await?;
    let which = jobs::Runs { name: name.map(ToOwned::to_owned), run_id: None, limit: Some(limit) };
    let runs: Vec<RunRow> = jobs::runs(&store, &which).await?.into_iter().map(|r| r.run).collect();
    if runs.is_empty() && !out.json {
        show::line(
            "no runs yet: `mangoes jobs run NAME` starts one now, `mangoes jobs list` says when the next comes",
        );
        return Ok(());
    }
    print_runs(&runs, out);
    Ok(())
}

/// The last open run of a job, or the run itself.
async fn run_to_cancel(store: &Store, name: &str) -> Result<String> {
    if name.contains('@') {
        return Ok(name.to_owned());
    }
    let open = store.runs(Some(name), None, 100).await?.into_iter().find(|r| r.ended_at.is_none());
    match open {
        Some(run) => Ok(run.run_id.into()),
        None => bail!("no run of {name} is open; `mangoes jobs runs {name}` shows them"),
    }
}

pub(crate) async fn cancel(
    config: &Config,
    (name, note): (&str, Option<&str>),
    out: Out,
) -> Result<()> {
    let store = world::connect_migrated(config).await?;
    let run = jobs::cancel(&store, &run_to_cancel(&store, name).await?, note, &me()).await?.run;
    out.say(&format!(
        "{} is cancelled: {} done, {} failed, {} left undone",
        run.run_id, run.done, run.failed, run.cancelled
    ));
    if out.json {
        out.value(&run);
    }
    Ok(())
}

pub(crate) async fn backfill(
    config: &Config,
    (name, from, to): (&str, &str, &str),
    dry_run: bool,
    out: Out,
) -> Result<()> {
    let (from, to) =
        (jobs::instant(from)?, if to == "now" { SystemClock.now() } else { jobs::instant(to)? });
    let request = jobs::Backfill { name: name.to_owned(), from, to, dry_run };
    let begun = jobs::backfill(&world::connect_migrated(config).await?, &request, &me()).await?;
    let word = |outcome: BackfillOutcome| {
        let ran = outcome == BackfillOutcome::There;
        if ran { "ran before" } else { outcome.as_str() }.to_owned()
    };
    let rows = begun.iter().map(|b| {
        vec![
            b.scheduled_for.format(&Rfc3339).unwrap_or_default(),
            word(b.outcome),
            b.run_id.clone(),
        ]
    });
    out.table(&begun, &["NOMINAL TIME", "RUN", "ID"], rows.collect());
    Ok(())
}

pub(crate) async fn pause(
    config: &Config,
    name: &str,
    (note, until): (Option<&str>, Option<&str>),
    out: Out,
) -> Result<()> {
    jobs::pause(&world::connect_migrated(config).await?, name, (note, until), &me()).await?;
    out.say(&format!("{name} is paused; its nominal times leave rows that say so. `mangoes jobs resume {name}` ends it"));
    Ok(())
}

pub(crate) async fn resume(config: &Config, name: &str, out: Out) -> Result<()> {
    let job = jobs::resume(&world::connect_migrated(config).await?, name, &me()).await?;
    out.say(&format!("{name} goes on: next {}", relative(job.next_at, SystemClock.now())));
    Ok(())
}

pub(crate) async fn delete(config: &Config, name: &str, out: Out) -> Result<()> {
    world::connect_migrated(config)
        .await?
        .delete_job(name, &me())
        .await
        .map_err(operator::ApiError::from)?;
    out.say(&format!("{name} is deleted; its runs stay in `mangoes jobs runs` for a while, and its name is not given again"));
    Ok(())
}

pub(crate) async fn hold(
    config: &Config,
    (off, note): (bool, Option<&str>),
    out: Out,
) -> Result<()> {
    world::connect_migrated(config)
        .await?
        .hold_jobs(!off, note, &me())
        .await
        .map_err(operator::ApiError::from)?;
    out.say(if off {
        "jobs go on with their next nominal times"
    } else {
        "all jobs are held; `mangoes jobs hold --off` lets them go on"
    });
    Ok(())
}

pub(crate) async fn create(
    config: &Config,
    (name, action): (&str, &str),
    edit: &JobEdit,
    out: Out,
) -> Result<()> {
    explain(edit);
    jobs::create(&world::connect_migrated(config).await?, name, action, edit, &me()).await?;
    next(config, (name, 3), out).await
}

pub(crate) async fn set(config: &Config, name: &str, edit: &JobEdit, out: Out) -> Result<()> {
    explain(edit);
    jobs::set(&world::connect_migrated(config).await?, name, edit, &me()).await?;
    next(config, (name, 3), out).await
}

fn explain(edit: &JobEdit) {
    if let Some(words) = edit.schedule.as_deref().and_then(jobs::both_days) {
        show::note(&format!("note: {words}"));
    }
}

pub(crate) async fn next(config: &Config, (name, n): (&str, usize), out: Out) -> Result<()> {
    let (job, previews) = jobs::next(&world::connect_migrated(config).await?, name, n).await?;
    let now = SystemClock.now();
    if !job.enabled {
        out.say(&format!("{name} is {}; it would run:", next_words(&job, now)));
    }
    let mut rows = Vec::with_capacity(previews.len());
    for p in &previews {
        rows.push(vec![
            p.local.clone(),
            p.at.format(&Rfc3339)?,
            relative(Some(p.at), now),
            p.note.clone().unwrap_or_default(),
        ]);
    }
    out.table(&previews, &[&job.timezone, "UTC", "IN", "NOTE"], rows);
    Ok(())
}

pub(crate) async fn lint(config: &Config, out: Out) -> Result<ExitCode> {
    let store = world::connect_migrated(config).await?;
    let found = jobs::lint(&store).await?;
    if found.is_empty() {
        out.say(&format!("{} jobs, nothing to say against them", store.jobs().await?.len()));
    }
    if out.json || !found.is_empty() {
        out.table(
            &found,
            &["JOB", "PROBLEM"],
            found.iter().map(|p| vec![p.job.clone(), p.problem.clone()]).collect(),
        );
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) fn print_runs(runs: &[RunRow], out: Out) {
    let now = SystemClock.now();
    let rows = runs
        .iter()
        .map(|r| {
            let mut row = vec![
                r.job.to_string(),
                r.status.to_string(),
                r.trigger_type.to_string(),
                relative(Some(r.fired_at), now),
            ];
            row.extend(
                [r.checked, r.skipped, r.done, r.failed, r.not_needed, r.tmdb_calls]
                    .map(|n| n.to_string()),
            );
            row.extend([millis(r.duration_ms), progress_words(r)]);
            row
        })
        .collect();
    let head = [
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
    out.table(&runs, &head, rows);
}

/// How far it is, or what went wrong.
fn progress_words(run: &RunRow) -> String {
    match (run.eta_secs(), run.ended_at) {
        (Some(eta), None) => {
            format!(
                "{} of {}, {:.1}/s, {eta:.0} s to go",
                run.settled(),
                run.settled() + run.pending,
                run.rate()
            )
        }
        (None, None) if run.pending > 0 => format!("0 of {}", run.pending),
        _ => run.error.clone().unwrap_or_default(),
    }
}
