//! What a process finds out about its broker at the start: whether it may do its work.

use std::time::Duration;

use async_nats::HeaderMap;
use serde_json::Value;

use crate::{Bus, BusError, topology};

/// A server that may not take a message says nothing at all.
const ANSWER: Duration = Duration::from_secs(2);
/// The server's code for a message that was meant for another stream.
const OTHER_STREAM: u64 = 10_060;

impl Bus {
    /// Whether JetStream answers within `limit`.
    pub async fn answers(&self, limit: Duration) -> bool {
        self.is_connected()
            && matches!(
                tokio::time::timeout(limit, self.jetstream.query_account()).await,
                Ok(Ok(_))
            )
    }

    /// Asks for each stream whether this user may publish into it. Nothing is stored: the messages
    /// name a stream that does not exist. Without it a missing permission looks like a broker that
    /// is slow.
    ///
    /// # Errors
    /// Names the first subject that the server does not take, with the remedy.
    pub async fn check_publish(&self) -> Result<(), BusError> {
        for subject in topology::subjects().map(|pattern| pattern.replace('*', "0")) {
            let subject = self.namespace.subject(&subject);
            let subject = subject.as_str();
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Expected-Stream", "none-for-this-is-a-check");
            let asked = self.client.request_with_headers(subject.to_owned(), headers, "{}".into());
            let failed = |reason: String| BusError::Publish { subject: subject.to_owned(), reason };
            let answer = tokio::time::timeout(ANSWER, asked).await.map_err(|_| {
                failed(
                    "no answer; may this user publish it, and subscribe to its answers? \
                     nats/users.conf shows what each user needs"
                        .to_owned(),
                )
            })?;
            let answer = answer.map_err(|e| failed(runtime::chain(&e)))?;
            let answer: Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
            let code = answer.pointer("/error/err_code").and_then(Value::as_u64);
            if code != Some(OTHER_STREAM) {
                return Err(failed(format!("the server answers {answer}")));
            }
        }
        Ok(())
    }
}
