//! The operator's verbs.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail};
use operator::movies;
use proto::{ListSource, MaxMovies, TmdbId};
use runtime::{Clock, Config, SystemClock};
use serde_json::{Value, json};
use store::{MessageEnd, Store};

use crate::{
    cli::config::simulator_control,
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

/// Makes the streams of this NATS this database's own, then brings them to what the files say.
pub(crate) async fn take_over(config: &Config) -> Result<()> {
    let store = world::connect_migrated(config).await?;
    let bus = world::connect_bus_as(config, Some(store.installation_id().await?)).await?;
    let taken = bus.take_over().await?;
    outbox::make_topology(&bus, &store).await?;
    match taken.as_slice() {
        [] => show::line("all streams belonged to this database already"),
        taken => {
            show::line(&format!("these streams belong to this database now: {}", taken.join(", ")))
        }
    }
    Ok(())
}

pub(crate) async fn topology(config: &Config, check: bool, out: Out) -> Result<ExitCode> {
    let bus = if world::knows_a_database(config)? {
        let store = world::connect_migrated(config).await?;
        let bus = world::connect_bus_as(config, Some(store.installation_id().await?)).await?;
        if !check {
            // No relay publishes meanwhile, and what a stream had lost goes into it before anything
            // new.
            outbox::make_topology(&bus, &store).await?;
        }
        bus
    } else {
        // Streams that nobody's database owns yet: the first process that has one makes them its
        // own.
        let bus = world::connect_bus(config).await?;
        if !check {
            bus.ensure_topology().await?;
        }
        bus
    };
    let differences = bus.topology_differences().await?;
    if differences.is_empty() && !out.json {
        show::line("streams and consumers are as nats/*.json says");
        return Ok(ExitCode::SUCCESS);
    }
    let rows = differences
        .iter()
        .map(|d| {
            vec![d.asset.clone(), d.setting.clone(), d.wanted.to_string(), d.actual.to_string()]
        })
        .collect();
    out.table(&differences, &["ASSET", "SETTING", "WANTED", "ACTUAL"], rows);
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) async fn ingest_movies(
    config: &Config,
    ids: &[TmdbId],
    (force, follow): (bool, bool),
    out: Out,
) -> Result<ExitCode> {
    let bus = world::connect_bus(config).await?;
    let request = movies::Ingest { movies: ids.to_vec(), force, ..movies::Ingest::default() };
    accepted(config, movies::ingest(&bus, &request, &jobs::me()).await, follow, out).await
}

pub(crate) async fn refresh_movies(
    config: &Config,
    ids: &[TmdbId],
    follow: bool,
    out: Out,
) -> Result<ExitCode> {
    let (store, bus) = (world::connect_migrated(config).await?, world::connect_bus(config).await?);
    let request = movies::Refresh { movies: ids.to_vec(), due: false };
    accepted(config, movies::refresh(&store, &bus, &request, &jobs::me()).await, follow, out).await
}

pub(crate) async fn ingest_list(
    config: &Config,
    (source, max): (ListSource, i64),
    wait: bool,
    out: Out,
) -> Result<ExitCode> {
    let max_movies =
        MaxMovies::try_from(max).map_err(|e| runtime::ConfigError(format!("--max: {e}")))?;
    let bus = world::connect_bus(config).await?;
    let request = movies::Ingest {
        list: Some(source),
        max_movies: Some(max_movies),
        ..movies::Ingest::default()
    };
    accepted(config, movies::ingest(&bus, &request, &jobs::me()).await, wait, out).await
}

async fn accepted(
    config: &Config,
    answer: Result<movies::Answer, operator::ApiError>,
    follow_it: bool,
    out: Out,
) -> Result<ExitCode> {
    match answer.context("was it accepted? If a stream is missing, run `mangoes topology`")? {
        movies::Answer::Movies { accepted } => {
            follow_messages(config, &accepted, follow_it, out).await
        }
        movies::Answer::Run { run_id } if follow_it => follow(config, &run_id, out).await,
        movies::Answer::Run { run_id } => {
            out.say(&format!("accepted as {run_id}; `mangoes jobs runs` shows it"));
            if out.json {
                out.value(&json!({"run_id": run_id}));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn follow_messages(
    config: &Config,
    sent: &[movies::Accepted],
    follow: bool,
    out: Out,
) -> Result<ExitCode> {
    if !follow {
        out.say(&format!("{} accepted; --follow waits for the end", sent.len()));
        if out.json {
            out.value(&sent);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let store = world::connect_migrated(config).await?;
    let mut code = ExitCode::SUCCESS;
    for movies::Accepted { tmdb_id: id, message_id: key } in sent {
        let end = loop {
            match store.message_end(key).await? {
                Some(end) => break end,
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        };
        match (end, store.movie(*id).await?) {
            (MessageEnd::DeadLetter(error), _) => {
                show::note(&format!("{id}: {error}"));
                code = ExitCode::FAILURE;
            }
            (MessageEnd::Done, Some(movie)) => {
                out.say(&format!("{id}: {} (revision {})", movie.title, movie.revision))
            }
            (MessageEnd::Done, None) => out.say(&format!("{id}: done")),
        }
    }
    Ok(code)
}

pub(crate) async fn follow(config: &Config, run_id: &str, out: Out) -> Result<ExitCode> {
    let store = world::connect_migrated(config).await?;
    let run = progress::follow_run(&store, run_id, (out.json, FOLLOW_LIMIT)).await?;
    jobs::print_runs(std::slice::from_ref(&run), out);
    Ok(if run.status == proto::RunState::Succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) async fn refresh_due(config: &Config, wait: bool, out: Out) -> Result<ExitCode> {
    let payload = json!({"limit": 1_000_000}).to_string();
    let how = jobs::How { follow: wait, force: false, dry_run: false };
    jobs::run(config, ("daily_refresh_enqueue", Some(&payload)), how, out).await
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
            format!(
                "TMDB answered 404 {}; asked again {}",
                relative(Some(at), now),
                relative(movie.hold_until, now)
            )
        }
        (None, None, true) if movie.last_refreshed_at.is_none() => {
            "now: never refreshed".to_owned()
        }
        (None, None, true) => {
            format!("now: older than the {} days that its age allows", movie.interval_days)
        }
        (None, None, false) => format!(
            "{}: every {} days at its age",
            relative(Some(movie.due_at), now),
            movie.interval_days
        ),
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

/// What changed and when, the newest first.
pub(crate) async fn movie_history(
    config: &Config,
    (id, limit): (TmdbId, i64),
    out: Out,
) -> Result<()> {
    let events = movies::history(&world::connect_migrated(config).await?, id, limit).await?;
    let now = SystemClock.now();
    let rows = events.iter().map(|e| {
        let words = e.diff.as_ref().map(diff_words).unwrap_or_default();
        vec![
            relative(Some(e.at), now),
            e.kind.clone(),
            e.revision.to_string(),
            e.cause.clone().unwrap_or_default(),
            words,
        ]
    });
    out.table(&events, &["WHEN", "WHAT", "REVISION", "CAUSE", "CHANGES"], rows.collect());
    Ok(())
}

/// `title: "Old" -> "New", …`, each value cut.
fn diff_words(diff: &Value) -> String {
    let short = |value: Option<&Value>| {
        let text = value.map(ToString::to_string).unwrap_or_default();
        if text.chars().count() > DIFF_CHARS {
            text.chars().take(DIFF_CHARS).chain(['…']).collect()
        } else {
            text
        }
    };
    let fields = diff.as_object().into_iter().flatten();
    let words = fields.map(|(name, change)| match change.get("new") {
        Some(new) => format!("{name}: {} -> {}", short(change.get("old")), short(Some(new))),
        None => format!("{name}: {}", short(Some(change))),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Longest value in a table of changes.
const DIFF_CHARS: usize = 40;

/// Exit code of `status --check` when the freshness promise is not kept.
const NOT_FRESH: u8 = 3;

pub(crate) async fn status(config: &Config, check: bool, out: Out) -> Result<ExitCode> {
    let store: Store = world::connect_migrated(config).await?;
    let status = store.status().await?;
    let code = if check && !faults(&status).is_empty() {
        ExitCode::from(NOT_FRESH)
    } else {
        ExitCode::SUCCESS
    };
    if out.json {
        out.value(&status);
        return Ok(code);
    }
    show::line(&format!(
        "Fresh: {} of {} titles within policy",
        percent(status.fresh, status.titles),
        status.titles
    ));
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
    for job in &status.unreadable_jobs {
        out.pairs(&[("paused job", format!("{}: {}", job.name, job.reason))]);
    }
    if check {
        faults(&status).iter().for_each(|fault| show::note(&format!("mangoes: {fault}")));
    }
    Ok(code)
}

/// Why the freshness promise is not kept, or will not be.
fn faults(status: &store::Status) -> Vec<String> {
    let mut faults = Vec::new();
    let late = status.titles - status.fresh;
    if late > 0 {
        faults.push(format!(
            "the promise is not kept: {late} titles are older than their policy allows"
        ));
    }
    if status.budget.credential_refused_at.is_some() {
        faults.push(
            "TMDB refuses the credential: set another TMDB_TOKEN or TMDB_API_KEY and restart"
                .to_owned(),
        );
    }
    let unreadable = status.unreadable_jobs.iter();
    faults.extend(unreadable.map(|job| {
        format!("job {} is paused: {}; `mangoes jobs set {0}` changes it", job.name, job.reason)
    }));
    faults
}

/// Looks again and again, until it is stopped or nobody reads any more.
pub(crate) async fn watch(config: &Config, every: Duration, out: Out) -> Result<()> {
    let store = world::connect_migrated(config).await?;
    loop {
        if out.json {
            let (status, jobs) = (store.status().await?, operator::jobs::list(&store).await?);
            show::line(
                &json!({"at": SystemClock.now().unix_timestamp(), "status": status, "jobs": jobs})
                    .to_string(),
            );
        } else {
            show::clear_screen();
            status(config, false, out).await?;
            show::line("");
            jobs::list(config, out).await?;
            show::line("");
            jobs::runs(config, (None, WATCHED_RUNS), out).await?;
            show::line("");
        }
        if show::is_closed() {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            stopped = tokio::signal::ctrl_c() => return Ok(stopped?),
        }
    }
}

/// Runs that `watch` shows.
const WATCHED_RUNS: i64 = 8;

/// Whatever slows or stops TMDB calls at the moment.
fn budget_words(budget: &store::BudgetRow, now: time::OffsetDateTime) -> String {
    let mut words = Vec::new();
    if let Some(at) = budget.credential_refused_at {
        words.push(format!(
            "STOPPED, {}: TMDB refuses the credential: set TMDB_TOKEN anew",
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

type Named = Vec<(String, Value)>;

pub(crate) async fn tmdb_sim(
    options: tmdb_sim::Options,
    (settings, faults, outage): (Named, Named, Option<Duration>),
) -> Result<()> {
    let faults =
        serde_json::from_value(faults.into_iter().collect::<serde_json::Map<_, _>>().into());
    let faults = faults.map_err(|e| runtime::ConfigError(format!("--fault: {e}")))?;
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
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
        "  change it while it runs: curl {}/stats   (settings, faults, outage, edit/ID, delete/ID, merge/ID: POST)",
        simulator_control(&base)
    ));
    tokio::select! {
        _ = term.recv() => {}
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    sim.stop().await;
    Ok(())
}
