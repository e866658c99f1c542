//! `mangoes webhook`: events by HTTP, for those who do not run NATS.
//!
//! An outage of NATS is waited for. Where only a restart or a person can help, it ends with status
//! 1 and says why: a supervisor starts it again.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use runtime::{Config, ConfigError};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use url::Url;
use webhook::{Options, Secret};

use crate::{connect, output};

#[derive(Debug, clap::Args)]
pub(crate) struct WebhookArgs {
    /// Send events to this address; a 2xx answer takes one.
    #[arg(long)]
    url: Url,
    /// Tell this receiver from others by its name: it goes on where it stopped.
    #[arg(long, default_value = "default", value_parser = name)]
    name: String,
    /// Send these events of MOVIES_EVENTS.
    #[arg(long, default_value = "movies.changed.*")]
    subject: String,
    /// Sign with the secret in this file: whsec_ and 24 to 64 bytes in base64.
    #[arg(long, value_name = "PATH")]
    secret_file: Option<PathBuf>,
    /// Begin with the oldest event that is stored; at the first start.
    #[arg(long)]
    from_oldest: bool,
    /// Give an event up when the pauses between its attempts are so long: it is a dead letter then.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    give_up_after: u64,
}

/// The name becomes a part of that of a consumer.
fn name(text: &str) -> Result<String, String> {
    let is_name = (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_name { Ok(text.to_owned()) } else { Err("use 1 to 32 of a-z, 0-9, _ and -".to_owned()) }
}

pub(super) async fn run(config: &Config, args: WebhookArgs) -> Result<ExitCode> {
    let options = Options {
        secret: args.secret_file.map(secret).transpose()?,
        name: args.name,
        url: args.url,
        subject: args.subject,
        from_oldest: args.from_oldest,
        give_up_after: Duration::from_secs(args.give_up_after),
    };
    let store = connect::migrated_store(config).await?;
    let bus = connect::bus_of_store(config, &store).await?;
    let drain = CancellationToken::new();
    let mut terminated = signal(SignalKind::terminate())?;
    output::line(&format!("webhook {} sends {}", options.name, options.subject));
    let delivering = webhook::run(&bus, &store, &options, drain.clone());
    let mut delivering = std::pin::pin!(delivering);
    let ended = tokio::select! {
        ended = &mut delivering => ended,
        stopped = tokio::signal::ctrl_c() => { stopped?; drain.cancel(); delivering.await }
        _ = terminated.recv() => { drain.cancel(); delivering.await }
    };
    bus.close().await;
    store.close().await;
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// The path is not repeated: it may be the secret itself, put there by mistake.
fn secret(path: PathBuf) -> Result<Secret> {
    let wrong = |why: String| ConfigError(format!("--secret-file: {why}"));
    let text = std::fs::read_to_string(path)
        .map_err(|e| wrong(format!("the file cannot be read ({e}): name one with a secret")))?;
    Ok(text.parse().map_err(|e: webhook::SecretError| wrong(e.to_string()))?)
}
