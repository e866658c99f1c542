//! `mangoes tmdb-sim`: the TMDB simulator alone.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use runtime::ConfigError;
use serde_json::{Map, Value};
use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};

use crate::output;

#[derive(Debug, clap::Args)]
pub(crate) struct TmdbSimArgs {
    /// Listen on this address.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Seed of the catalogue.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Movies in the catalogue, up to 1,200,000.
    #[arg(long, default_value_t = 100_000)]
    movies: u64,
    /// Movies in a thousand whose lists are short, as those of most titles are.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1_000))]
    obscure: u64,
    /// Added latency in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Refuse more requests than this in any second; 0 = never.
    #[arg(long, default_value_t = 0)]
    rate_limit: u32,
    /// Refusals carry Retry-After.
    #[arg(long)]
    retry_after: bool,
    /// A setting: latency_min_ms, slow_share, slow_ms, old_429_body, cache_secs, credential.
    /// Repeatable.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<NamedValue>,
    /// A share of requests that fails, 0 to 1: http_500, http_502, http_503, http_504, http_429,
    /// html, invalid_json, truncated, reset, stall, wrong_id, bad_id. Repeatable.
    #[arg(long, value_name = "KIND=SHARE")]
    fault: Vec<NamedValue>,
    /// Start with an outage of this many seconds.
    #[arg(long, value_name = "SECONDS")]
    outage: Option<u64>,
    /// Serve the recorded answers of this directory.
    #[arg(long, value_name = "DIR")]
    recorded: Option<PathBuf>,
}

/// `name=value`; a value that is not JSON is a text.
#[derive(Debug, Clone)]
struct NamedValue {
    name: String,
    value: Value,
}

impl std::str::FromStr for NamedValue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("give it as NAME=VALUE")?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        Ok(Self { name: name.to_owned(), value })
    }
}

fn object(values: Vec<NamedValue>) -> Value {
    values.into_iter().map(|named| (named.name, named.value)).collect::<Map<_, _>>().into()
}

pub(super) async fn run(args: TmdbSimArgs) -> Result<ExitCode> {
    let options = tmdb_sim::Options {
        listen: args.listen,
        seed: args.seed,
        movies: args.movies,
        obscure: args.obscure,
        latency: Duration::from_millis(args.latency_ms),
        rate_limit: args.rate_limit,
        retry_after: args.retry_after,
        recorded: args.recorded,
        ..Default::default()
    };
    let faults = serde_json::from_value(object(args.fault));
    let faults = faults.map_err(|error| ConfigError(format!("--fault: {error}")))?;
    let mut terminated = signal(SignalKind::terminate())?;
    let sim = tmdb_sim::Sim::start(options).await?;
    let control = sim.control();
    let configured = control.configure(object(args.set));
    configured.map_err(|error| ConfigError(format!("--set: {error}")))?;
    control.fail(faults);
    if let Some(secs) = args.outage {
        control.outage(Duration::from_secs(secs));
    }
    let base = sim.base_url();
    output::line(&format!(
        "TMDB simulator: TMDB_BASE_URL={base}   (any TMDB_TOKEN; stop it with Ctrl-C)"
    ));
    output::line(&format!(
        "  statistics: curl {0}/stats   (to change it while it runs, POST to {0}/settings, \
         /faults, /outage, /edit/ID, /delete/ID, /merge/ID)",
        control_url(&base)
    ));
    tokio::select! {
        _ = terminated.recv() => {}
        stopped = ctrl_c() => stopped?,
    }
    sim.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Where a simulator is changed while it runs.
pub(super) fn control_url(base: &str) -> String {
    format!("{}/_sim", base.trim_end_matches("/3"))
}
