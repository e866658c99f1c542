//! `/healthz` (the process lives) and `/readyz` (database and NATS answer).

use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use bus::Bus;
use store::Store;
use tokio::net::TcpListener;

/// Serves until the process ends; returns where.
pub(crate) async fn start(listen: &str, bus: Bus, store: Store) -> Result<SocketAddr> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; another program has it? Set MANGOES_LISTEN to a free address"))?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready)).with_state((bus, store));
    tokio::spawn(async move {
        if let Err(e) = axum::serve(listener, app).await {
            tracing::error!(error = %e, "the health server ended");
        }
    });
    Ok(address)
}

async fn ready(State((bus, store)): State<(Bus, Store)>) -> (StatusCode, String) {
    if !bus.is_connected() {
        return (StatusCode::SERVICE_UNAVAILABLE, "NATS is not connected\n".to_owned());
    }
    match store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(e) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", runtime::chain(&e))),
    }
}
