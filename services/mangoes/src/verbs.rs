//! The operator's verbs.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail};
use bus::Outgoing;
use proto::{Event, IngestList, IngestMovie, Lane, ListSource, MaxMovies, MovieStale, TmdbId, TriggerType};
use runtime::{Clock, Config, SystemClock};
use serde_json::{Value, json};
use store::Store;
use uuid::Uuid;

use crate::{
    jobs, progress,
    show::{self, Out, percent, relative},
    world,
};

/// How long `--follow` waits.
const FOLLOW_LIMIT: Duration = Duration::from_secs(6 * 3_600);
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(crate) async fn migrate(config: &Config) -> Result<()> {
    world::connect_store(config).await?.migrate().await?;
    show::line("the database is up to date");
    Ok(())
}

pub(crate) async fn topology(config: &Config, check: bool, out: Out) -> Result<ExitCode> {
    let bus = world::connect_bus(config).await?;
    if !check {
        bus.ensure_topology().await?;
    }
    let differences = bus.topology_differences().await?;
    if differences.is_empty() && !out.json {
        show::line("streams and consumers are as nats/*.json says");
        return Ok(ExitCode::SUCCESS);
    }
    let rows = differences
        .iter()
        .map(|d| vec![d.asset.clone(), d.setting.clone(), d.wanted.to_string(), d.actual.to_string()])
        .collect();
    out.table(&differences, &["ASSET", "SETTING", "WANTED", "ACTUAL"], rows);
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Publishes an event of a person: the id is new, the confirmation is waited for.
async fn send<E: Event>(config: &Config, event: &E) -> Result<String> {
    let bus = world::connect_bus(config).await?;
    let message_id = format!("cli:{}", Uuid::now_v7());
    let message = Outgoing {
        subject: event.subject(),
        message_id: message_id.clone(),
        headers: json!({}),
        payload: serde_json::to_vec(event)?,
    };
    bus.publish(message).await.context("is the topology there? Run `mangoes topology`")?;
    Ok(message_id)
}

pub(crate) async fn ingest_movies(config: &Config, ids: &[TmdbId], (force, follow): (bool, bool), out: Out) -> Result<ExitCode> {
    let mut sent = Vec::new();
    for id in ids {
        sent.push((*id, send(config, &IngestMovie { tmdb_id: *id, run_id: None, force }).await?));
    }
    follow_messages(config, &sent, follow, out).await
}

pub(crate) async fn refresh_movies(config: &Config, ids: &[TmdbId], follow: bool, out: Out) -> Result<ExitCode> {
    let mut sent = Vec::new();
    for id in ids {
        let event = MovieStale {
            tmdb_id: *id,
            work_id: None,
            reason: "manual".to_owned(),
            queued_at: Some(SystemClock.now()),
            run_id: None,
            lane: Lane::Now,
        };
        sent.push((*id, send(config, &event).await?));
    }
    follow_messages(config, &sent, follow, out).await
}

async fn follow_messages(config: &Config, sent: &[(TmdbId, String)], follow: bool, out: Out) -> Result<ExitCode> {
    if !follow {
        out.say(&format!("{} accepted; --follow waits for the end", sent.len()));
        return Ok(ExitCode::SUCCESS);
    }
    let store = world::connect_migrated(config).await?;
    let mut code = ExitCode::SUCCESS;
    for (id, key) in sent {
        let end = loop {
            match store.message_end(key).await? {
                Some(end) => break end,
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        };
        match (end, store.movie(*id).await?) {
            (Some(error), _) => {
                eprintln!("{id}: {error}");
                code = ExitCode::FAILURE;
            }
            (None, Some(movie)) => out.say(&format!("{id}: {} (revision {})", movie.title, movie.revision)),
            (None, None) => out.say(&format!("{id}: done")),
        }
    }
    Ok(code)
}

pub(crate) async fn ingest_list(config: &Config, (source, max): (ListSource, i64), wait: bool, out: Out) -> Result<ExitCode> {
    let max_movies = MaxMovies::try_from(max).map_err(|e| runtime::ConfigError(format!("--max: {e}")))?;
    let run_id = format!("list@cli:{}", Uuid::now_v7());
    let event = IngestList { source, max_movies, trigger_type: TriggerType::Manual, run_id: Some(run_id.clone()) };
    send(config, &event).await?;
    if !wait {
        out.say(&format!("accepted as {run_id}; `mangoes jobs runs` shows it"));
        return Ok(ExitCode::SUCCESS);
    }
    follow(config, &run_id, out).await
}

pub(crate) async fn follow(config: &Config, run_id: &str, out: Out) -> Result<ExitCode> {
    let store = world::connect_migrated(config).await?;
    let run = progress::follow_run(&store, run_id, (out.json, FOLLOW_LIMIT)).await?;
    jobs::print_runs(std::slice::from_ref(&run), out);
    Ok(if run.status == "succeeded" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) async fn refresh_due(config: &Config, wait: bool, out: Out) -> Result<ExitCode> {
    let payload = json!({"limit": 1_000_000}).to_string();
    jobs::run(config, ("daily_refresh_enqueue", Some(&payload)), (wait, false), out).await
}

pub(crate) async fn movie_show(config: &Config, id: TmdbId, out: Out) -> Result<ExitCode> {
    let store = world::connect_migrated(config).await?;
    let Some(movie) = store.movie(id).await? else {
        bail!("the catalogue has no movie {id}; `mangoes ingest --movie {id}` brings it in");
    };
    if out.json {
        out.value(&movie);
        return Ok(ExitCode::SUCCESS);
    }
    let now = SystemClock.now();
    let due = match (movie.removed_at, movie.missing_since, movie.is_stale) {
        (Some(_), ..) => "never: TMDB has it no more".to_owned(),
        (None, Some(at), _) => {
            format!("TMDB answered 404 {}; asked again {}", relative(Some(at), now), relative(movie.hold_until, now))
        }
        (None, None, true) if movie.last_refreshed_at.is_none() => "now: never refreshed".to_owned(),
        (None, None, true) => format!("now: older than the {} days that its age allows", movie.interval_days),
        (None, None, false) => format!("{}: every {} days at its age", relative(Some(movie.due_at), now), movie.interval_days),
    };
    out.pairs(&[
        ("title", movie.title),
        ("tmdb_id", movie.tmdb_id),
        ("work_id", movie.work_id.to_string()),
        ("status", movie.ingestion_status),
        ("released", movie.release_date.unwrap_or_else(|| "unknown".to_owned())),
        ("refreshed", relative(movie.last_refreshed_at, now)),
        ("due", due),
        ("revision", movie.revision.to_string()),
        ("queue", movie.queue_status.unwrap_or_else(|| "not queued".to_owned())),
        ("last error", movie.last_error.unwrap_or_else(|| "none".to_owned())),
    ]);
    Ok(ExitCode::SUCCESS)
}

/// Exit code of `status --check` when the freshness promise is not kept.
const NOT_FRESH: u8 = 3;

pub(crate) async fn status(config: &Config, check: bool, out: Out) -> Result<ExitCode> {
    let store: Store = world::connect_migrated(config).await?;
    let status = store.status().await?;
    let late = status.titles - status.fresh;
    let kept = late == 0 && status.budget.credential_refused_at.is_none();
    let code = if check && !kept { ExitCode::from(NOT_FRESH) } else { ExitCode::SUCCESS };
    if out.json {
        out.value(&status);
        return Ok(code);
    }
    show::line(&format!("Fresh: {} of {} titles within policy", percent(status.fresh, status.titles), status.titles));
    let rows = status
        .bands
        .iter()
        .map(|b| {
            vec![
                b.band.clone(),
                format!("{} d", b.interval_days),
                b.titles.to_string(),
                b.fresh.to_string(),
                (b.titles - b.fresh).to_string(),
            ]
        })
        .collect();
    out.table(&status.bands, &["BAND", "EVERY", "TITLES", "FRESH", "DUE"], rows);
    out.pairs(&[
        ("refresh queue", format!("{} queued, {} processing", status.queued, status.processing)),
        ("open runs", status.open_runs.to_string()),
        ("unsent events", status.outbox.to_string()),
        (
            "TMDB, last hour",
            format!(
                "{} calls, {} errors, {} refused (429)",
                status.calls_last_hour, status.errors_last_hour, status.refused_last_hour
            ),
        ),
        ("TMDB budget", budget_words(&status.budget, SystemClock.now())),
        ("removed upstream", status.removed.to_string()),
        ("dead letters", status.dead_letters.to_string()),
    ]);
    if check && !kept {
        eprintln!("mangoes: the promise is not kept: {late} titles are older than their policy allows");
    }
    Ok(code)
}

/// Whatever slows or stops TMDB calls at the moment.
fn budget_words(budget: &store::BudgetRow, now: time::OffsetDateTime) -> String {
    let mut words = Vec::new();
    if let Some(at) = budget.credential_refused_at {
        words.push(format!("STOPPED, {}: TMDB refuses the credential: set TMDB_TOKEN anew", relative(Some(at), now)));
    }
    if budget.paused_until.is_some() {
        words.push(format!("paused after a 429, goes on {}", relative(budget.paused_until, now)));
    }
    words.extend(budget.lowered_rate.map(|rate| format!("lowered to {rate:.1} calls/s after a 429")));
    if budget.calls_not_logged > 0 {
        words.push(format!("{} calls were not logged", budget.calls_not_logged));
    }
    if words.is_empty() { "as configured".to_owned() } else { words.join("; ") }
}

type Named = Vec<(String, Value)>;

pub(crate) async fn tmdb_sim(
    options: tmdb_sim::Options,
    (settings, faults, outage): (Named, Named, Option<Duration>),
) -> Result<()> {
    let faults = serde_json::from_value(faults.into_iter().collect::<serde_json::Map<_, _>>().into());
    let faults = faults.map_err(|e| runtime::ConfigError(format!("--fault: {e}")))?;
    let sim = tmdb_sim::Sim::start(options).await?;
    let control = sim.control();
    let settings: serde_json::Map<_, _> = settings.into_iter().collect();
    control.configure(settings.into()).map_err(|e| runtime::ConfigError(format!("--set: {e}")))?;
    control.fail(faults);
    if let Some(window) = outage {
        control.outage(window);
    }
    let base = sim.base_url();
    show::line(&format!("TMDB simulator: TMDB_BASE_URL={base}   (any TMDB_TOKEN; stop: Ctrl-C)"));
    show::line(&format!(
        "  change it while it runs: curl {}/_sim/stats   (settings, faults, outage, edit/ID, delete/ID, merge/ID: POST)",
        base.trim_end_matches("/3")
    ));
    tokio::signal::ctrl_c().await?;
    sim.stop().await;
    Ok(())
}
