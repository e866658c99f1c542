//! `mangoes health`: asks a running process whether it does its work, for container health checks
//! and people.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use runtime::{Config, ConfigError, listen_parts};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::net::TcpStream;

use crate::{endpoints::Endpoints, output::Output};

/// The process gives each of its own questions two seconds.
const ANSWER: Duration = Duration::from_secs(5);
/// Reasons are a few lines.
const BODY_MAX_BYTES: usize = 64 * 1024;

/// Where a GET goes.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// `host:port`.
    address: String,
    path: String,
}

/// What a process answers about itself.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Health {
    ready: bool,
    /// Of HTTP.
    status: u16,
    /// Reasons, for people, line by line.
    answer: Vec<String>,
}

/// Prints what the process answers; success only for 200.
pub(crate) async fn health(config: &Config, url: Option<&str>, out: Output) -> Result<ExitCode> {
    let target = match url {
        Some(url) => target_of(url)?,
        None => Target { address: own_address(config)?, path: "/readyz".to_owned() },
    };
    let (status, body) =
        tokio::time::timeout(ANSWER, get(&target)).await.with_context(|| {
            format!("{} does not answer within {} s", target.address, ANSWER.as_secs())
        })??;
    let ready = status == 200;
    let answer: Vec<String> = body.lines().map(ToOwned::to_owned).collect();
    if out.json {
        out.value(&Health { ready, status, answer });
    } else {
        answer.iter().for_each(|line| out.say(line));
    }
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where a process with these settings answers on this machine; where nothing is set, `mangoes up`
/// of this data directory.
fn own_address(config: &Config) -> Result<String> {
    // Port 0 is a free one, which only the process itself knows.
    let is_given = config.is_set("MANGOES_LISTEN")
        && listen_parts(&config.listen).is_some_and(|(_, port)| port != 0);
    let noted = if is_given {
        None
    } else {
        Endpoints::of_running(config)?.and_then(|endpoints| endpoints.listen)
    };
    Ok(noted.unwrap_or_else(|| reachable(&config.listen)))
}

/// An address that stands for all of a machine's own is asked on loopback.
fn reachable(listen: &str) -> String {
    match listen_parts(listen) {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        Some(_) | None => listen.to_owned(),
    }
}

fn target_of(url: &str) -> Result<Target> {
    let Some(rest) = url.strip_prefix("http://") else {
        bail!(ConfigError(format!(
            "'{url}' is not an http:// address such as http://127.0.0.1:8080/readyz"
        )));
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, "readyz"));
    let address = if listen_parts(host).is_some() { host.to_owned() } else { format!("{host}:80") };
    Ok(Target { address, path: format!("/{path}") })
}

/// Status and body of a GET.
async fn get(target: &Target) -> Result<(u16, String)> {
    let Target { address, path } = target;
    let remedy = || {
        format!("nothing answers at {address} (is the process running with this MANGOES_LISTEN?)")
    };
    let stream = TcpStream::connect(address).await.with_context(remedy)?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.with_context(remedy)?;
    // Ends with the answer.
    let connection = tokio::spawn(connection);
    let request = Request::get(path).header("host", address).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await.with_context(remedy)?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), BODY_MAX_BYTES).collect().await;
    let body = body
        .map_err(|e| anyhow::anyhow!("the answer of {address} cannot be read: {e}"))?
        .to_bytes();
    connection.abort();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_ask() {
        for (url, address, path) in [
            ("http://127.0.0.1:8090/_sim/stats", "127.0.0.1:8090", "/_sim/stats"),
            ("http://ingest:8080", "ingest:8080", "/readyz"),
            ("http://ingest/healthz", "ingest:80", "/healthz"),
        ] {
            assert_eq!(
                target_of(url).unwrap(),
                Target { address: address.to_owned(), path: path.to_owned() },
                "{url}"
            );
        }
        assert!(target_of("https://h/").is_err());
        for (listen, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:80", "[::1]:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("host:1", "host:1"),
        ] {
            assert_eq!(reachable(listen), asked);
        }
    }
}
