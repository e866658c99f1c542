//! Logs: pretty for people, JSON for machines, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Config, ConfigError, LogFormat};

/// Switches logging on. `RUST_LOG` overrides `default_filter`. Colours only where a person looks at
/// a terminal and did not set `NO_COLOR` (<https://no-color.org>).
///
/// # Errors
/// When `RUST_LOG` is not a filter.
pub fn init(config: &Config, default_filter: &str) -> Result<(), ConfigError> {
    let filter = match &config.log_filter {
        Some(text) => EnvFilter::try_new(text).map_err(|e| {
            ConfigError(format!("RUST_LOG: the filter is not valid ({e}): write it as info"))
        })?,
        None => EnvFilter::new(default_filter),
    };
    let registry = tracing_subscriber::registry().with(filter);
    // A log line that cannot be written is dropped: the library would complain on the same closed
    // stream and panic there.
    let layer = fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    let first = match config.log {
        LogFormat::Json => registry.with(layer.json()).try_init(),
        LogFormat::Pretty => {
            let colour = wants_colour(&std::io::stderr());
            registry.with(layer.with_target(false).with_ansi(colour)).try_init()
        }
    };
    // A second call in one process (tests) keeps the first subscriber.
    let _ = first;
    Ok(())
}

/// Whether a person looks at this stream, and did not ask for plain text.
#[must_use]
pub fn wants_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
