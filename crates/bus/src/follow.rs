//! Reads the events of MOVIES_EVENTS for somebody outside, by a durable consumer of its own.

use std::{collections::VecDeque, time::Duration};

use async_nats::jetstream::{
    Message,
    consumer::{AckPolicy, Consumer, DeliverPolicy, pull},
};
use bytes::Bytes;
use futures::StreamExt;
use proto::MessageKey;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use tracing::warn;

use crate::{
    Bus, BusError,
    consume::settle::{Receipt, Settlement},
    message_key::{StoredAt, clean, headers, id_of, message_key},
    topology::{EVENTS, broken},
};

/// As in `consume/pull.rs`, for the same reason.
const PULL_EXPIRES: Duration = Duration::from_secs(4);
/// Between two attempts to reach a broker that is away.
const PAUSE: Duration = Duration::from_secs(1);

/// Which events are read, and how.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// The name of the consumer.
    pub durable: &'static str,
    /// A subject of MOVIES_EVENTS, or a pattern of some.
    pub subject: String,
    /// A new consumer begins with the oldest event, and not with the next one.
    pub from_oldest: bool,
    /// After this an event that is not settled is delivered again.
    pub ack_wait: Duration,
    /// Events that are handed out at once.
    pub in_flight: usize,
}

/// Events one after the other.
pub struct Follower {
    bus: Bus,
    options: FollowOptions,
    waiting: VecDeque<Message>,
}

/// An event that was handed out. Until it is settled it comes again.
pub struct Followed {
    /// Without the namespace.
    pub subject: String,
    pub headers: Map<String, Value>,
    pub payload: Bytes,
    /// The same at each delivery.
    pub key: MessageKey,
    /// How often it was delivered, this time included.
    pub attempts: u64,
    /// When the stream stored it.
    pub stored_at: OffsetDateTime,
    receipt: Box<dyn Receipt>,
}

impl Bus {
    /// Begins to read. A consumer that is there goes on where it stopped.
    ///
    /// # Errors
    /// The consumer is not there and cannot be made.
    pub async fn follow(&self, options: &FollowOptions) -> Result<Follower, BusError> {
        let follower =
            Follower { bus: self.clone(), options: options.clone(), waiting: VecDeque::new() };
        follower.consumer().await?;
        Ok(follower)
    }
}

impl Follower {
    /// The next event; waits for it, also while the broker is away.
    pub async fn next(&mut self) -> Followed {
        loop {
            match self.waiting.pop_front().map(|message| self.handed_out(message)) {
                Some(Ok(event)) => return event,
                Some(Err(error)) => warn!(error, "an event is left out"),
                None => self.pull().await,
            }
        }
    }

    async fn pull(&mut self) {
        if let Err(error) = self.try_pull().await {
            warn!(consumer = self.options.durable, %error, "events cannot be read at the moment");
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn try_pull(&mut self) -> Result<(), BusError> {
        let failed = |e: String| broken(self.options.durable, e);
        let consumer = self.consumer().await?;
        let batch = consumer.batch().max_messages(self.options.in_flight).expires(PULL_EXPIRES);
        let mut batch = batch.messages().await.map_err(|e| failed(runtime::chain(&e)))?;
        while let Some(message) = batch.next().await {
            self.waiting.push_back(message.map_err(|e| failed(e.to_string()))?);
        }
        Ok(())
    }

    async fn consumer(&self) -> Result<Consumer<pull::Config>, BusError> {
        let FollowOptions { durable, subject, from_oldest, ack_wait, in_flight } = &self.options;
        let failed = |e: &(dyn std::error::Error + 'static)| broken(durable, runtime::chain(e));
        let stream = self.bus.jetstream.get_stream(self.bus.namespace.stream(EVENTS)).await;
        let stream = stream.map_err(|e| failed(&e))?;
        let config = pull::Config {
            durable_name: Some((*durable).to_owned()),
            description: Some("a webhook".to_owned()),
            filter_subject: self.bus.namespace.subject(subject),
            deliver_policy: if *from_oldest { DeliverPolicy::All } else { DeliverPolicy::New },
            ack_policy: AckPolicy::Explicit,
            ack_wait: *ack_wait,
            max_ack_pending: i64::try_from(*in_flight).unwrap_or(i64::MAX),
            ..pull::Config::default()
        };
        stream.get_or_create_consumer(durable, config).await.map_err(|e| failed(&e))
    }

    fn handed_out(&self, message: Message) -> Result<Followed, String> {
        let info = message.info().map_err(|e| e.to_string())?;
        let stored = StoredAt {
            stream: info.stream,
            nanos: info.published.unix_timestamp_nanos(),
            sequence: info.stream_sequence,
        };
        let key = message_key(id_of(message.headers.as_ref()).as_deref(), &stored);
        let attempts = u64::try_from(info.delivered).unwrap_or(1);
        let stored_at = OffsetDateTime::from_unix_timestamp_nanos(stored.nanos);
        Ok(Followed {
            subject: clean(self.bus.namespace.bare(&message.subject)),
            headers: headers(message.headers.as_ref()),
            payload: message.payload.clone(),
            key,
            attempts,
            stored_at: stored_at.map_err(|e| e.to_string())?,
            receipt: Box::new(message.split().1),
        })
    }
}

impl Followed {
    /// It does not come again.
    pub async fn done(&self) {
        self.receipt.settle(Settlement::Ack).await;
    }

    /// It comes again after this.
    pub async fn again(&self, after: Duration) {
        self.receipt.settle(Settlement::Nak(after)).await;
    }
}
