//! What is wrong with the configuration.

/// What is wrong with the configuration: one sentence that names the setting and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);
