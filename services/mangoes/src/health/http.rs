//! `/healthz` (whether a restart would help), `/readyz` (whether work is being done, or why not)
//! and `/metrics` (Prometheus text).

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use store::{Store, StoreError, UnreadableJob};
use tokio::net::TcpListener;

use super::{metrics, process::Process, watchdog};

/// How long the database may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// Events that wait longer are a sign of a stream that accepts nothing.
const LATE_OUTBOX_SECS: i32 = 60;
/// A pause after a 429 that is reported.
const LONG_PAUSE_SECS: i64 = 5;

/// Takes the address, before any work begins.
pub(crate) async fn bind(listen: &str) -> Result<TcpListener> {
    TcpListener::bind(listen).await.with_context(|| {
        format!(
            "cannot listen on {listen}; does another program use it? Set MANGOES_LISTEN to a free \
             address"
        )
    })
}

/// Serves until the process ends; returns where.
pub(crate) fn serve(listener: TcpListener, process: Process) -> Result<SocketAddr> {
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(process);
    tokio::spawn(async move {
        if let Err(e) = axum::serve(listener, app).await {
            tracing::error!(error = %e, "the health server stopped unexpectedly");
        }
    });
    Ok(address)
}

async fn ready(State(process): State<Process>) -> (StatusCode, String) {
    let mut reasons = Vec::new();
    if process.drain.is_cancelled() {
        reasons.push("it drains".to_owned());
    }
    if !process.bus.is_connected() {
        reasons.push("NATS is not connected".to_owned());
    } else if process.bus.is_dead().await {
        reasons.push("the NATS client has ended: only a restart helps".to_owned());
    }
    let mut seen = DatabaseView::default();
    match tokio::time::timeout(ANSWER, DatabaseView::read(&process.store)).await {
        Ok(Ok(view)) => seen = view,
        Ok(Err(e)) => reasons.push(runtime::chain(&e)),
        Err(_) => {
            reasons.push(format!("the database does not answer within {} s", ANSWER.as_secs()));
        }
    }
    if seen.events_are_late {
        reasons.push(format!("events wait in the outbox for more than {LATE_OUTBOX_SECS} s"));
    }
    reasons.extend(seen.missing_rights);
    reasons.extend(process.bus.pulse().stalled().iter().map(watchdog::words));
    reasons.extend(process.bus.pulse().failing());
    let mut notes = notes(&seen.unreadable_jobs);
    if let Some(tmdb) = &process.tmdb {
        reasons.extend(tmdb_problem(tmdb.health(), seen.calls_paused_secs));
        notes.push_str(&tmdb_notes(tmdb));
    }
    answer(&reasons, &format!("ready\n{notes}"))
}

/// What the database says about the work of this process.
#[derive(Default)]
struct DatabaseView {
    events_are_late: bool,
    calls_paused_secs: i64,
    unreadable_jobs: Vec<UnreadableJob>,
    /// What this role cannot write any more, and has to.
    missing_rights: Vec<String>,
}

impl DatabaseView {
    async fn read(store: &Store) -> Result<Self, StoreError> {
        let missing = store.missing_rights().await?.into_iter().filter(|right| right.stops_work);
        Ok(Self {
            missing_rights: missing.map(|right| right.sentence()).collect(),
            events_are_late: store.outbox_is_late(LATE_OUTBOX_SECS).await?,
            calls_paused_secs: store.calls_paused_secs().await?,
            unreadable_jobs: store.unreadable_jobs().await?,
        })
    }
}

fn tmdb_problem(health: tmdb::Health, paused_secs: i64) -> Option<String> {
    match health {
        tmdb::Health::CredentialRefused => Some(
            "TMDB refuses the credential: set another TMDB_TOKEN or TMDB_API_KEY and restart, or \
             write it into the file of TMDB_TOKEN_FILE, which is read again"
                .to_owned(),
        ),
        tmdb::Health::Down => Some("TMDB is down; work waits for it".to_owned()),
        tmdb::Health::Up => (paused_secs >= LONG_PAUSE_SECS)
            .then(|| format!("rate limited by TMDB (429): calls go on in {paused_secs} s")),
    }
}

/// What of TMDB is unwell while the rest works.
fn tmdb_notes(tmdb: &tmdb::Client) -> String {
    let lists = tmdb.unwell_lists();
    let list = |(path, since): &(&str, Duration)| {
        format!("note: TMDB fails on {path} since {} s; what needs it waits\n", since.as_secs())
    };
    let mut notes: String = lists.iter().map(list).collect();
    let odd = tmdb.odd_movies();
    if odd > 0 {
        notes.push_str(&format!(
            "note: TMDB gives no answer about {odd} movies that can be used; they wait\n"
        ));
    }
    notes
}

/// A paused job is a matter for a person: this process does its work.
fn notes(jobs: &[UnreadableJob]) -> String {
    jobs.iter().map(|job| format!("note: job {} is paused: {}\n", job.name, job.reason)).collect()
}

/// What NATS, the database and TMDB cannot be blamed for. The process ends itself then, see
/// `watchdog`; an orchestrator that restarts it may look here as well.
async fn healthy(State(process): State<Process>) -> (StatusCode, String) {
    let stalls = watchdog::stalls(&process.bus, &process.store).await;
    answer(&stalls.iter().map(watchdog::words).collect::<Vec<_>>(), "ok\n")
}

fn answer(reasons: &[String], well: &str) -> (StatusCode, String) {
    if reasons.is_empty() {
        (StatusCode::OK, well.to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", reasons.join("\n")))
    }
}

async fn scrape(State(process): State<Process>) -> (StatusCode, String) {
    match metrics::text(&process).await {
        Ok(text) => (StatusCode::OK, text),
        Err(e) => (StatusCode::SERVICE_UNAVAILABLE, format!("{e:#}\n")),
    }
}
