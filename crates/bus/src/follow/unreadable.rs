//! Messages whose headers the client library cannot read: its task ends over them, or its
//! connection (docs/adr/0014). They are looked for among what is in flight, when a process begins
//! and when its connection was made again, as `consume/unreadable.rs` does.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::{
    ErrorCode, consumer,
    message::{Acker, StreamMessage},
    response::Response,
    stream::RawMessage,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Map, json};
use tracing::warn;

use super::{Followed, Follower, unsettled::lock};
use crate::{
    message_key::{StoredAt, clean, message_key},
    topology::EVENTS,
};

/// How long a search may take: nothing is read meanwhile.
const SEARCH_MAX: Duration = Duration::from_secs(10);

/// The answer to `STREAM.MSG.GET`.
#[derive(Deserialize)]
struct Found {
    message: RawMessage,
}

impl Follower {
    /// Looks for unreadable messages among those that were delivered and are not settled. The first
    /// search of a process also learns from where on an earlier one left something unsettled.
    pub(super) async fn search(&mut self, there: &consumer::Info) {
        if let Err(error) = self.try_search(there).await {
            let consumer = self.options.durable;
            warn!(
                consumer,
                error, "what is in flight could not be searched for unreadable headers"
            );
        }
    }

    async fn try_search(&mut self, there: &consumer::Info) -> Result<(), String> {
        let (begun, last) = (Instant::now(), there.delivered.stream_sequence);
        let (mut next, mut is_first) = (there.ack_floor.stream_sequence + 1, true);
        while there.num_ack_pending > 0 && next <= last {
            if begun.elapsed() > SEARCH_MAX {
                return Err(format!("sequences {next} to {last} were not reached in time"));
            }
            let stored = self.stored_from(next).await?;
            let Some(stored) = stored.filter(|stored| stored.sequence <= last) else { break };
            next = stored.sequence + 1;
            if is_first && self.searched.is_none() {
                // An earlier process left it unsettled, and it may come long after younger ones.
                lock(&self.unsettled).handed_out(stored.time, stored.sequence);
            }
            is_first = false;
            // It reads headers as the library's connection does.
            if StreamMessage::try_from(stored.clone()).is_err() {
                let event = self.without_headers(&stored)?;
                self.unreadable.push_back(event);
            }
        }
        Ok(())
    }

    /// The first message for this consumer from this sequence on, as JSON, which says what no
    /// library can read.
    async fn stored_from(&self, sequence: u64) -> Result<Option<RawMessage>, String> {
        let subject = self.bus.namespace.subject(&self.options.subject);
        let verb = format!("STREAM.MSG.GET.{}", self.bus.namespace.stream(EVENTS));
        let question = json!({ "seq": sequence, "next_by_subj": subject });
        let answer = self.bus.jetstream.request(verb, &question).await;
        match answer.map_err(|e| runtime::chain(&e))? {
            Response::Ok(Found { message }) => Ok(Some(message)),
            Response::Err { error } if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => {
                Ok(None)
            }
            Response::Err { error } => Err(error.to_string()),
        }
    }

    fn without_headers(&self, message: &RawMessage) -> Result<Followed, String> {
        let (stream, durable) = (self.bus.namespace.stream(EVENTS), self.options.durable);
        let (sequence, nanos) = (message.sequence, message.time.unix_timestamp_nanos());
        let payload = BASE64_STANDARD.decode(&message.payload).map_err(|e| e.to_string())?;
        // Of all that its delivery would say the server asks for the sequence alone.
        let reply = format!("$JS.ACK.{stream}.{durable}.1.{sequence}.1.{nanos}.0");
        Ok(Followed {
            subject: clean(self.bus.namespace.bare(&message.subject)),
            headers: Map::new(),
            payload: payload.into(),
            key: message_key(None, &StoredAt { stream: &stream, nanos, sequence }),
            attempts: 1,
            stored_at: message.time,
            is_readable: false,
            sequence,
            unsettled: Arc::clone(&self.unsettled),
            receipt: Box::new(Acker::new(self.bus.jetstream.clone(), Some(reply.into()))),
        })
    }
}
