//! What stands in the streams.

use std::time::Duration;

use async_nats::jetstream::{self, consumer::DeliverPolicy};
use futures::StreamExt;
use time::OffsetDateTime;

use super::Oracle;
use crate::broker;

/// One `movies.refreshed`.
pub(super) struct RefreshedEvent {
    pub(super) tmdb_id: i64,
    pub(super) revision: i64,
    pub(super) refreshed_at: OffsetDateTime,
    pub(super) message_id: String,
}

pub(super) fn message_id(message: &jetstream::Message) -> String {
    message
        .headers
        .as_ref()
        .and_then(|h| h.get("Nats-Msg-Id"))
        .map(ToString::to_string)
        .unwrap_or_default()
}

impl Oracle {
    /// All `movies.refreshed`, in the order of their stream.
    pub(super) async fn refreshed(&self) -> Vec<RefreshedEvent> {
        let messages = self.messages("MOVIES_EVENTS", "movies.refreshed.>").await;
        let read = |message: &jetstream::Message| {
            let event: proto::MovieRefreshed = serde_json::from_slice(&message.payload).unwrap();
            RefreshedEvent {
                tmdb_id: event.tmdb_id.get(),
                revision: event.revision,
                refreshed_at: event.refreshed_at,
                message_id: message_id(message),
            }
        };
        messages.iter().map(read).collect()
    }

    /// What a stream that is no work queue holds.
    pub(super) async fn messages(&self, stream: &str, filter: &str) -> Vec<jetstream::Message> {
        let client = broker::connect(&self.nats_url).await.unwrap();
        let stream = jetstream::new(client).get_stream(stream).await.unwrap();
        let config = jetstream::consumer::pull::OrderedConfig {
            filter_subject: filter.to_owned(),
            deliver_policy: DeliverPolicy::All,
            ..Default::default()
        };
        let consumer = stream.create_consumer(config).await.unwrap();
        let mut left = consumer.cached_info().num_pending;
        let mut messages = consumer.messages().await.unwrap();
        let mut found = Vec::new();
        while left > 0 {
            found.push(
                tokio::time::timeout(Duration::from_secs(20), messages.next())
                    .await
                    .unwrap()
                    .unwrap()
                    .unwrap(),
            );
            left -= 1;
        }
        found
    }
}
