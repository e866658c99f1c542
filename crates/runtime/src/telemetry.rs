//! Logs: pretty for people, JSON for machines, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{Config, ConfigError};

/// Switches logging on. `RUST_LOG` overrides `default_filter`. Colours only where a person looks at
/// a terminal and did not set `NO_COLOR` (<https://no-color.org>).
///
/// # Errors
/// When `RUST_LOG` cannot be read.
pub fn init(config: &Config, default_filter: &str) -> Result<(), ConfigError> {
    let filter = match &config.log_filter {
        Some(text) => EnvFilter::try_new(text).map_err(|e| {
            ConfigError(format!("RUST_LOG cannot be read ({e}): use for example info"))
        })?,
        None => EnvFilter::new(default_filter),
    };
    let registry = tracing_subscriber::registry().with(filter);
    // A log that cannot be written is dropped: the library would complain on the same closed stream
    // and panic there.
    let done = if config.log == "json" {
        registry
            .with(fmt::layer().json().with_writer(std::io::stderr).log_internal_errors(false))
            .try_init()
    } else {
        let layer = fmt::layer()
            .with_writer(std::io::stderr)
            .with_target(false)
            .with_ansi(wants_colour(&std::io::stderr()));
        registry.with(layer.log_internal_errors(false)).try_init()
    };
    // A second call in one process (tests) keeps the first subscriber.
    let _ = done;
    Ok(())
}

/// Whether a person looks at this stream, and did not ask for plain text.
#[must_use]
pub fn wants_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
