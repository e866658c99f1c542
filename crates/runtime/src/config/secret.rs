//! A value that is never shown.

use std::sync::Arc;

use serde::Deserialize;

use super::error::ConfigError;

/// A value that is never shown: neither by `{:?}` nor in a log.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a value.
    #[must_use]
    pub const fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself: for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Where a secret is read again, because it stands in a file that may change.
#[derive(Clone)]
pub struct SecretSource(Arc<dyn Fn() -> Result<Option<Secret>, ConfigError> + Send + Sync>);

impl SecretSource {
    pub(super) fn new(
        read: impl Fn() -> Result<Option<Secret>, ConfigError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(read))
    }

    /// The secret as the file says it now.
    ///
    /// # Errors
    /// The file cannot be read, or says nothing usable.
    pub fn read(&self) -> Result<Option<Secret>, ConfigError> {
        (self.0)()
    }
}

impl std::fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
