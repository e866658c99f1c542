//! `/healthz` (the process lives), `/readyz` (work is being done, or why not) and `/metrics` (Prometheus text).

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use bus::Bus;
use store::Store;
use tokio::net::TcpListener;

use crate::metrics;

/// A consumer pulls every few seconds, whether there is work or not; one that waits for TMDB is told of by that.
const STILL: Duration = Duration::from_secs(90);
/// Events that wait longer tell of a stream that takes nothing.
const LATE_OUTBOX_SECS: i32 = 60;

/// What is looked at.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    /// Where this process calls TMDB.
    pub(crate) tmdb: Option<tmdb::Client>,
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
        .route("/healthz", get(|| async { "ok\n" }))
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
    if !watched.bus.is_connected() {
        reasons.push("NATS is not connected".to_owned());
    }
    match watched.store.outbox_is_late(LATE_OUTBOX_SECS).await {
        Ok(false) => {}
        Ok(true) => reasons.push(format!("events wait in the outbox for more than {LATE_OUTBOX_SECS} s")),
        Err(e) => reasons.push(runtime::chain(&e)),
    }
    for consumer in watched.bus.still_consumers(STILL) {
        reasons.push(format!("{consumer} has not pulled for {} s", STILL.as_secs()));
    }
    match watched.tmdb.as_ref().map(tmdb::Client::health) {
        Some(tmdb::Health::CredentialRefused) => {
            reasons.push("TMDB refuses the credential: set TMDB_TOKEN or TMDB_API_KEY anew and restart".to_owned());
        }
        Some(tmdb::Health::Down) => reasons.push("TMDB is down; work waits for it".to_owned()),
        Some(tmdb::Health::Up) | None => {}
    }
    match reasons.is_empty() {
        true => (StatusCode::OK, "ready\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", reasons.join("\n"))),
    }
}

async fn scrape(State(watched): State<Watched>) -> (StatusCode, String) {
    match metrics::text(&watched).await {
        Ok(text) => (StatusCode::OK, text),
        Err(e) => (StatusCode::SERVICE_UNAVAILABLE, format!("{e:#}\n")),
    }
}
