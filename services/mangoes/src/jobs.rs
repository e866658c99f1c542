//! `mangoes jobs`: look at jobs, run, pause, edit and preview them.

use std::process::ExitCode;

use anyhow::{Result, bail};
use runtime::{Clock, Config, ConfigError, SystemClock};
use scheduler::Calendar;
use serde_json::{Value, json};
use store::{ByHand, JobEdit, JobRow, RunRow, Store};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    show::{self, Out, millis, relative},
    verbs, world,
};

/// Runs in the strip of marks.
const STRIP: usize = 30;

/// Who is at it, as the audit shows it.
fn me() -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_else(|| "someone".to_owned());
    format!("{user} (mangoes)")
}

fn json_object(text: Option<&str>) -> Result<Option<Value>> {
    let Some(text) = text else { return Ok(None) };
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(Some(value)),
        Ok(_) => bail!(ConfigError("--payload is no JSON object; use '{\"limit\": 100}'".to_owned())),
        Err(e) => bail!(ConfigError(format!("--payload is no JSON object: {e}"))),
    }
}

fn unknown(name: &str) -> anyhow::Error {
    anyhow::anyhow!("there is no job '{name}'; `mangoes jobs list` shows them")
}

async fn find(store: &Store, name: &str) -> Result<JobRow> {
    store.jobs().await?.into_iter().find(|j| j.name == name).ok_or_else(|| unknown(name))
}

pub(crate) async fn run(
    config: &Config,
    (name, payload): (&str, Option<&str>),
    (wait, force): (bool, bool),
    out: Out,
) -> Result<ExitCode> {
    let payload = json_object(payload)?;
    let store = world::connect_migrated(config).await?;
    let run_id = match store.run_job(name, payload.as_ref(), (&me(), force)).await? {
        Some(ByHand::Runs(run_id)) => run_id,
        Some(ByHand::Busy(open)) => bail!("{open} is not over, and the job's runs may not overlap; --force runs it all the same"),
        None => return Err(unknown(name)),
    };
    if wait {
        return verbs::follow(config, &run_id, out).await;
    }
    out.say(&format!("{run_id} is queued; the schedule stays as it is. `mangoes jobs runs {name}` shows it"));
    if out.json {
        out.value(&json!({"run_id": run_id}));
    }
    Ok(ExitCode::SUCCESS)
}

/// The last runs as marks, oldest first: `+` succeeded, `~` partial, `!` failed or lost, `.` did not run, `>` goes on.
fn strip(history: &[String]) -> String {
    let mark = |status: &String| match status.as_str() {
        "succeeded" => '+',
        "partial" => '~',
        "failed" | "lost" => '!',
        "skipped" => '.',
        _ => '>',
    };
    history.iter().take(STRIP).rev().map(mark).collect()
}

pub(crate) async fn list(config: &Config, out: Out) -> Result<()> {
    let store = world::connect_migrated(config).await?;
    let jobs = store.jobs().await?;
    let now = SystemClock.now();
    if let Some(why) = store.hold().await? {
        out.say(&format!("ALL JOBS ARE HELD: {why}; `mangoes jobs hold --off` lets them go on"));
    }
    let rows = jobs
        .iter()
        .map(|j| {
            vec![
                j.name.clone(),
                j.schedule.clone(),
                j.timezone.clone(),
                next_words(j, now),
                last_words(j, now),
                strip(&j.history),
            ]
        })
        .collect();
    out.table(&jobs, &["NAME", "SCHEDULE", "ZONE", "NEXT", "LAST", "RUNS"], rows);
    Ok(())
}

fn last_words(job: &JobRow, now: OffsetDateTime) -> String {
    match job.last_fired_at {
        Some(at) => format!("{} {}", job.last_status.as_deref().unwrap_or_default(), relative(Some(at), now)),
        None => "never".to_owned(),
    }
}

fn next_words(job: &JobRow, now: OffsetDateTime) -> String {
    if job.enabled {
        return relative(job.next_at, now);
    }
    let until = job.paused_until.map(|at| format!(", goes on {},", relative(Some(at), now))).unwrap_or_default();
    let note = job.note.as_deref().map(|n| format!(": {n}")).unwrap_or_default();
    format!("paused{until} by {}{note}", job.paused_by.as_deref().unwrap_or("someone"))
}

pub(crate) async fn show(config: &Config, name: &str, out: Out) -> Result<()> {
    let job = find(&world::connect_migrated(config).await?, name).await?;
    if out.json {
        out.value(&job);
        return Ok(());
    }
    let now = SystemClock.now();
    let fails = job.pause_after_failures.map_or_else(|| "never".to_owned(), |n| format!("after {n} failed runs in a row"));
    out.pairs(&[
        ("name", job.name.clone()),
        ("action", job.action.clone()),
        ("payload", job.payload.to_string()),
        ("schedule", format!("{}   {}", job.schedule, job.timezone)),
        ("next", next_words(&job, now)),
        ("last", last_words(&job, now)),
        ("runs", format!("{}   (+ succeeded, ~ partial, ! failed, . did not run, > goes on)", strip(&job.history))),
        ("when clocks skip", job.dst_gap.clone()),
        ("when clocks repeat", job.dst_overlap.clone()),
        ("overlapping runs", job.overlap_policy.clone()),
        ("makes up for", format!("what was missed by at most {} s", job.catch_up_secs)),
        ("pauses itself", fails),
        ("note", job.note.clone().unwrap_or_default()),
        ("revision", job.revision.to_string()),
    ]);
    Ok(())
}

pub(crate) async fn runs(config: &Config, name: Option<&str>, limit: i64, out: Out) -> Result<()> {
    let store = world::connect_migrated(config).await?;
    let runs = store.runs(name, None, limit).await?;
    if runs.is_empty() && !out.json {
        if let Some(name) = name {
            find(&store, name).await?;
        }
        show::line("no runs yet: `mangoes jobs run NAME` starts one now, `mangoes jobs list` says when the next comes");
        return Ok(());
    }
    print_runs(&runs, out);
    Ok(())
}

pub(crate) async fn pause(config: &Config, name: &str, (note, until): (Option<&str>, Option<&str>), out: Out) -> Result<()> {
    let until = until.map(instant).transpose()?;
    if until.is_some_and(|at| at <= SystemClock.now()) {
        bail!(ConfigError("--until must lie in the future".to_owned()));
    }
    if !world::connect_migrated(config).await?.pause_job(name, (note, until), &me()).await? {
        return Err(unknown(name));
    }
    out.say(&format!("{name} is paused; its nominal times leave rows that say so. `mangoes jobs resume {name}` ends it"));
    Ok(())
}

/// An instant as RFC 3339, or a span from now: `2h`.
fn instant(text: &str) -> Result<OffsetDateTime> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(at);
    }
    let wrong = || ConfigError(format!("'{text}' is no instant like 2026-12-24T18:00:00Z and no span like 90m, 2h or 3d"));
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: i64 = number.parse().ok().filter(|n| (1..=100_000).contains(n)).ok_or_else(wrong)?;
    let span = match unit {
        "s" => Duration::seconds(number),
        "m" => Duration::minutes(number),
        "h" => Duration::hours(number),
        "d" => Duration::days(number),
        _ => bail!(wrong()),
    };
    Ok(SystemClock.now() + span)
}

pub(crate) async fn resume(config: &Config, name: &str, out: Out) -> Result<()> {
    let store = world::connect_migrated(config).await?;
    if !store.resume_job(name, &me()).await? {
        return Err(unknown(name));
    }
    out.say(&format!("{name} goes on: next {}", relative(find(&store, name).await?.next_at, SystemClock.now())));
    Ok(())
}

pub(crate) async fn delete(config: &Config, name: &str, out: Out) -> Result<()> {
    if !world::connect_migrated(config).await?.delete_job(name, &me()).await? {
        return Err(unknown(name));
    }
    out.say(&format!("{name} is deleted; its runs stay in `mangoes jobs runs {name}` for a while"));
    Ok(())
}

pub(crate) async fn hold(config: &Config, (off, note): (bool, Option<&str>), out: Out) -> Result<()> {
    world::connect_migrated(config).await?.hold_jobs(!off, note, &me()).await?;
    out.say(if off {
        "jobs go on with their next nominal times"
    } else {
        "all jobs are held; `mangoes jobs hold --off` lets them go on"
    });
    Ok(())
}

pub(crate) async fn create(config: &Config, name: &str, edit: &JobEdit, out: Out) -> Result<()> {
    let right = name.len() <= 64
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
    if !right {
        bail!(ConfigError(format!("'{name}' is no name for a job: use 1 to 64 of a-z, 0-9, _ and -")));
    }
    check(edit, ("", "UTC"), edit.action.as_deref().unwrap_or_default())?;
    let store = world::connect_migrated(config).await?;
    if !store.put_job(name, edit, (true, &me())).await? {
        bail!("there is a job '{name}' already; `mangoes jobs set {name}` changes it");
    }
    next(config, (name, 3), out).await
}

pub(crate) async fn set(config: &Config, name: &str, edit: &JobEdit, out: Out) -> Result<()> {
    let store = world::connect_migrated(config).await?;
    let job = find(&store, name).await?;
    check(edit, (&job.schedule, &job.timezone), &job.action)?;
    if !store.put_job(name, edit, (false, &me())).await? {
        return Err(unknown(name));
    }
    next(config, (name, 3), out).await
}

/// What can never fire, or what its action cannot read, is refused before it is stored.
fn check(edit: &JobEdit, (schedule, zone): (&str, &str), action: &str) -> Result<()> {
    let wrong = |e: scheduler::SchedulerError| ConfigError(e.to_string());
    let policies = (
        edit.dst_gap.as_deref().unwrap_or("run_after").parse().map_err(wrong)?,
        edit.dst_overlap.as_deref().unwrap_or("first").parse().map_err(wrong)?,
    );
    let schedule = edit.schedule.as_deref().unwrap_or(schedule);
    let calendar = Calendar::parse(schedule, edit.timezone.as_deref().unwrap_or(zone), policies).map_err(wrong)?;
    let next = calendar.next_after(SystemClock.now());
    if next.is_none_or(|at| edit.ends_at.is_some_and(|end| at > end)) {
        bail!(ConfigError(format!("'{schedule}' never fires from now on")));
    }
    if edit.overlap_policy.as_deref().is_some_and(|p| !["skip", "allow"].contains(&p)) {
        bail!(ConfigError("--overlap-policy is skip or allow".to_owned()));
    }
    if let Some(payload) = &edit.payload {
        payload_fits(action, payload).map_err(|e| ConfigError(format!("--payload does not fit the action {action}: {e}")))?;
    }
    if let Some(words) = both_days(schedule) {
        eprintln!("note: {words}");
    }
    Ok(())
}

fn payload_fits(action: &str, payload: &Value) -> Result<(), String> {
    let whole = |key: &str, max: i64| match payload.get(key).and_then(Value::as_i64) {
        Some(n) if (1..=max).contains(&n) => Ok(()),
        _ => Err(format!("{key} must be a whole number from 1 to {max}")),
    };
    match action {
        "ingest" => serde_json::from_value::<proto::IngestList>(payload.clone()).map(|_| ()).map_err(|e| e.to_string()),
        "scan" => whole("limit", 1_000_000),
        "refresh" => whole("max_items", 100_000),
        "maintain" => scheduler::check_retention(payload).map_err(|e| e.to_string()),
        _ => Err("the action is ingest, scan, refresh or maintain".to_owned()),
    }
}

/// Cron's oldest trap, in words.
fn both_days(schedule: &str) -> Option<String> {
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    let at = fields.len().checked_sub(5)?.min(1);
    let (day, weekday) = (fields.get(at + 2)?, fields.get(at + 4)?);
    (fields.len() <= 7 && !day.starts_with(['*', '?']) && !weekday.starts_with(['*', '?']))
        .then(|| format!("day of month {day} and weekday {weekday} are both set: it fires on days that match either of them"))
}

pub(crate) async fn next(config: &Config, (name, n): (&str, usize), out: Out) -> Result<()> {
    let job = find(&world::connect_migrated(config).await?, name).await?;
    let (now, policies) = (SystemClock.now(), (job.dst_gap.parse()?, job.dst_overlap.parse()?));
    let times = scheduler::next_times((&job.schedule, &job.timezone), policies, now, n)?;
    let mut rows = Vec::new();
    let mut values = Vec::new();
    for at in times {
        let local = scheduler::local(at, &job.timezone)?;
        let warning = scheduler::clock_is_set_near(at, &job.timezone)?.unwrap_or_default();
        values.push(json!({"at": at.format(&Rfc3339)?, "local": local, "warning": warning}));
        rows.push(vec![local, at.format(&Rfc3339)?, relative(Some(at), now), warning]);
    }
    if !job.enabled {
        out.say(&format!("{name} is {}; it would run:", next_words(&job, now)));
    }
    out.table(&values, &[&job.timezone, "UTC", "IN", "NOTE"], rows);
    Ok(())
}

/// Every job whose schedule, zone or payload does not do what it seems to.
pub(crate) async fn lint(config: &Config, out: Out) -> Result<ExitCode> {
    let jobs = world::connect_migrated(config).await?.jobs().await?;
    let mut found = Vec::new();
    for job in &jobs {
        let mut say = |text: String| found.push((job.name.clone(), text));
        match Calendar::parse(&job.schedule, &job.timezone, (job.dst_gap.parse()?, job.dst_overlap.parse()?)) {
            Err(e) => say(e.to_string()),
            Ok(calendar) if calendar.next_after(SystemClock.now()).is_none() => {
                say(format!("'{}' never fires from now on", job.schedule))
            }
            Ok(_) => {}
        }
        both_days(&job.schedule).into_iter().for_each(&mut say);
        if let Err(e) = payload_fits(&job.action, &job.payload) {
            say(format!("payload: {e}"));
        }
    }
    if found.is_empty() {
        out.say(&format!("{} jobs, nothing to say against them", jobs.len()));
    }
    let values: Vec<Value> = found.iter().map(|(job, text)| json!({"job": job, "problem": text})).collect();
    if out.json || !found.is_empty() {
        out.table(&values, &["JOB", "PROBLEM"], found.iter().map(|(job, text)| vec![job.clone(), text.clone()]).collect());
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) fn print_runs(runs: &[RunRow], out: Out) {
    let now = SystemClock.now();
    let rows = runs
        .iter()
        .map(|r| {
            let mut row = vec![r.job.clone(), r.status.clone(), r.trigger_type.clone(), relative(Some(r.fired_at), now)];
            row.extend([r.checked, r.skipped, r.done, r.failed, r.not_needed, r.tmdb_calls].map(|n| n.to_string()));
            row.extend([millis(r.duration_ms), r.error.clone().unwrap_or_default()]);
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
        "ERROR",
    ];
    out.table(&runs, &head, rows);
}
