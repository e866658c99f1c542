//! `/healthz` (a new start would not help), `/readyz` (work is being done, or why not) and
//! `/metrics` (Prometheus text).

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use bus::Bus;
use store::{Store, StoreError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{metrics, vitals};

/// How long the database may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(2);
/// Events that wait longer tell of a stream that takes nothing.
const LATE_OUTBOX_SECS: i32 = 60;

/// A pause after a 429 that is worth a word.
const LONG_PAUSE_SECS: i64 = 5;

/// What is looked at.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    /// Where this process calls TMDB.
    pub(crate) tmdb: Option<tmdb::Client>,
    /// Cancelled when it drains.
    pub(crate) drain: CancellationToken,
}

/// Takes the address, before anything is begun.
pub(crate) async fn bind(listen: &str) -> Result<TcpListener> {
    TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; another program has it? Set MANGOES_LISTEN to a free address"))
}

/// Serves until the process ends; returns where.
pub(crate) fn serve(listener: TcpListener, watched: Watched) -> Result<SocketAddr> {
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(watched);
    tokio::spawn(async move {
        if let Err(e) = axum::serve(listener, app).await {
            tracing::error!(error = %e, "the health server ended");
        }
    });
    Ok(address)
}

async fn ready(State(watched): State<Watched>) -> (StatusCode, String) {
    let mut reasons = Vec::new();
    if watched.drain.is_cancelled() {
        reasons.push("it drains".to_owned());
    }
    if !watched.bus.is_connected() {
        reasons.push("NATS is not connected".to_owned());
    } else if watched.bus.is_dead().await {
        reasons.push("the NATS client has ended: only a new start helps".to_owned());
    }
    let database = async {
        let store = &watched.store;
        let late = store.outbox_is_late(LATE_OUTBOX_SECS).await?;
        Ok::<_, StoreError>((
            late,
            store.calls_paused_secs().await?,
            store.unreadable_jobs().await?,
        ))
    };
    let mut paused_secs = 0;
    let mut notes = String::new();
    match tokio::time::timeout(ANSWER, database).await {
        Ok(Ok((late, secs, unreadable))) => {
            paused_secs = secs;
            // The process does its work; a person has to see to the job.
            notes.extend(
                unreadable
                    .iter()
                    .map(|job| format!("note: job {} is paused: {}\n", job.name, job.reason)),
            );
            if late {
                reasons
                    .push(format!("events wait in the outbox for more than {LATE_OUTBOX_SECS} s"));
            }
        }
        Ok(Err(e)) => reasons.push(runtime::chain(&e)),
        Err(_) => {
            reasons.push(format!("the database does not answer within {} s", ANSWER.as_secs()))
        }
    }
    reasons.extend(watched.bus.pulse().stalled().iter().map(vitals::words));
    reasons.extend(watched.bus.pulse().failing());
    match watched.tmdb.as_ref().map(tmdb::Client::health) {
        Some(tmdb::Health::CredentialRefused) => {
            reasons.push(
                "TMDB refuses the credential: set another TMDB_TOKEN or TMDB_API_KEY and restart"
                    .to_owned(),
            );
        }
        Some(tmdb::Health::Down) => reasons.push("TMDB is down; work waits for it".to_owned()),
        Some(tmdb::Health::Up) if paused_secs >= LONG_PAUSE_SECS => {
            reasons.push(format!("rate limited by TMDB (429): calls go on in {paused_secs} s"));
        }
        Some(tmdb::Health::Up) | None => {}
    }
    answer(&reasons, &format!("ready\n{notes}"))
}

/// What NATS, the database and TMDB cannot be blamed for. The process ends itself then (`vitals`);
/// whoever starts it anew may look here as well.
async fn healthy(State(watched): State<Watched>) -> (StatusCode, String) {
    let ill: Vec<_> =
        vitals::ill(&watched.bus, &watched.store).await.iter().map(vitals::words).collect();
    answer(&ill, "ok\n")
}

fn answer(reasons: &[String], well: &str) -> (StatusCode, String) {
    match reasons.is_empty() {
        true => (StatusCode::OK, well.to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", reasons.join("\n"))),
    }
}

async fn scrape(State(watched): State<Watched>) -> (StatusCode, String) {
    match metrics::text(&watched).await {
        Ok(text) => (StatusCode::OK, text),
        Err(e) => (StatusCode::SERVICE_UNAVAILABLE, format!("{e:#}\n")),
    }
}
