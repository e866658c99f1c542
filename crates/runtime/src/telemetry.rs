//! Logs: pretty for people, JSON for machines, on standard error.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Switches logging on. `format` is `pretty` or `json`; `RUST_LOG` overrides `default_filter`.
pub fn init(format: &str, default_filter: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default_filter));
    let registry = tracing_subscriber::registry().with(filter);
    let done = if format == "json" {
        registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init()
    } else {
        registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false)).try_init()
    };
    // A second call in one process (tests) keeps the first subscriber.
    let _ = done;
}
