//! Follows a password that stands in a file: whoever changes it there and in the database restarts
//! nothing.
//!
//! Sessions that are there go on; those that begin take what the file says now.

use std::time::Duration;

use runtime::{Secret, config::SecretSource};
use sqlx::PgPool;
use tracing::{info, warn};

use super::target;

/// How soon a change is seen. The work meets an outage for so long, and loses nothing.
const READ_EVERY: Duration = Duration::from_secs(2);

/// The address that is in use, and where it is read again.
pub(super) struct Follow {
    pub(super) pool: PgPool,
    pub(super) source: SecretSource,
    pub(super) url: Secret,
    pub(super) session_name: String,
}

impl Follow {
    /// Reads the file again and again, until the pool is closed.
    pub(super) async fn until_closed(mut self) {
        let mut closed = self.pool.close_event();
        let mut warned = false;
        while closed.do_until(tokio::time::sleep(READ_EVERY)).await.is_ok() {
            let source = self.source.clone();
            let read = tokio::task::spawn_blocking(move || source.read()).await;
            let problem = match read {
                Ok(Ok(Some(url))) => self.take(url),
                Ok(Ok(None)) => Some("it is empty".to_owned()),
                Ok(Err(e)) => Some(e.to_string()),
                // The runtime ends.
                Err(_) => return,
            };
            if let Some(error) = problem.as_ref().filter(|_| !warned) {
                warn!(error, "the database's password cannot be read again; the last one stays");
            }
            warned = problem.is_some();
        }
    }

    /// Uses another address from now on. Returns what is wrong with it.
    fn take(&mut self, url: Secret) -> Option<String> {
        if url == self.url {
            return None;
        }
        match target::parsed(&url, &self.session_name) {
            Ok(options) => {
                self.pool.set_connect_options(options);
                self.url = url;
                info!("the database's password was read again, for the connections to come");
                None
            }
            Err(e) => Some(e.to_string()),
        }
    }
}
