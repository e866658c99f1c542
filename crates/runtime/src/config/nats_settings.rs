//! What is set of NATS: where it is, who we are, which certificates count, under which names our
//! streams are there.

use std::path::PathBuf;

use super::{
    error::ConfigError,
    names::{NATS_CERT, NATS_JS_API_PREFIX, NATS_JS_DOMAIN, NATS_KEY},
    secret::{Secret, SecretSource},
};

/// What is set of NATS.
#[derive(Debug, Clone, Default)]
pub struct NatsSettings {
    /// The server, or several of a cluster joined by commas; embedded when absent.
    pub url: Option<Secret>,
    /// Where `url` is read again, because it stands in a file.
    pub source: Option<SecretSource>,
    /// A credentials file.
    pub creds: Option<PathBuf>,
    /// A file with the seed of a user.
    pub nkey: Option<PathBuf>,
    /// The authority of the server's certificate.
    pub ca: Option<PathBuf>,
    /// Our own certificate; there is a key as well.
    pub certificate: Option<PathBuf>,
    /// The key of our own certificate.
    pub key: Option<PathBuf>,
    /// Where answers come in; by the user's name when absent.
    pub inbox_prefix: Option<String>,
    /// The domain of JetStream.
    pub domain: Option<String>,
    /// The prefix under which another account exports its JetStream.
    pub api_prefix: Option<String>,
    /// Servers of a cluster that keep a copy of each stream: 1, 3 or 5.
    pub replicas: u8,
    /// Begins the names of streams and subjects; empty for none.
    pub namespace: String,
}

impl NatsSettings {
    /// What holds between several settings.
    ///
    /// # Errors
    /// Names the settings that do not fit together.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let missing = |there: &str, missing: &str| {
            let text = format!("{there} is set and {missing} is not: a certificate needs its key");
            Err(ConfigError(text))
        };
        match (&self.certificate, &self.key) {
            (Some(_), None) => return missing(NATS_CERT, NATS_KEY),
            (None, Some(_)) => return missing(NATS_KEY, NATS_CERT),
            (Some(_), Some(_)) | (None, None) => {}
        }
        if self.domain.is_some() && self.api_prefix.is_some() {
            return Err(ConfigError(format!(
                "{NATS_JS_DOMAIN} and {NATS_JS_API_PREFIX} are both set: JetStream is reached by \
                 one of them"
            )));
        }
        Ok(())
    }
}
