//! Reads the events of MOVIES_EVENTS for somebody outside, by a durable consumer of its own.
//!
//! Events are handed out one by one, as they come. A consumer that is lost is made again where it
//! was: what was not settled, by an earlier process or this one, is remembered and comes again. A
//! loss of stream or consumer while no process runs is not noticed: the next start makes a new
//! consumer. Messages whose headers the library cannot read are handed out without headers.

mod unreadable;
mod unsettled;

use std::{
    collections::VecDeque,
    error::Error,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_nats::jetstream::{
    Message,
    consumer::{self, AckPolicy, Consumer, FromConsumer, pull},
    stream::{self, Stream},
};
use bytes::Bytes;
use futures::StreamExt;
use proto::MessageKey;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use tracing::warn;

use self::unsettled::{Unsettled, begin, lock};
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
/// Between two looks at stream and consumer.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The key under which `topology` writes whose a stream is; `tests/it/webhook.rs` holds it to that.
const INSTALLATION: &str = "mangoes.installation";

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
    /// Events that may be unsettled at once, those that wait to come again included. With so many
    /// no other is delivered.
    pub max_unsettled: u16,
}

/// Events one after the other.
pub struct Follower {
    bus: Bus,
    options: FollowOptions,
    source: Option<Source>,
    batch: Option<pull::Batch>,
    /// Found by a search, not by a pull.
    unreadable: VecDeque<Followed>,
    /// The connection over which they were searched for last.
    searched: Option<u64>,
    /// When the stream was created, as it was seen last.
    stream_created: Option<OffsetDateTime>,
    unsettled: Arc<Mutex<Unsettled>>,
}

/// The consumer at the server.
struct Source {
    consumer: Consumer<pull::Config>,
    looked_at: Instant,
}

/// An event that was handed out. Until it is settled it comes again.
pub struct Followed {
    /// Without the namespace.
    pub subject: String,
    /// Empty where they cannot be read.
    pub headers: Map<String, Value>,
    pub payload: Bytes,
    /// The same at each delivery.
    pub key: MessageKey,
    /// How often it was delivered, this time included.
    pub attempts: u64,
    /// When the stream stored it.
    pub stored_at: OffsetDateTime,
    /// False: its headers cannot be read, and its delivery would end the connection. It has to be
    /// done before the next event is asked for.
    pub is_readable: bool,
    sequence: u64,
    unsettled: Arc<Mutex<Unsettled>>,
    receipt: Box<dyn Receipt>,
}

/// Why no event could be read.
enum Failure {
    /// It may work in a moment.
    Passing(BusError),
    /// Waiting does not help.
    Final(BusError),
}

/// What a consumer reads, where that is not `wanted` alone.
fn other_subjects(there: &consumer::Config, wanted: &str) -> Option<Vec<String>> {
    let one = Some(there.filter_subject.clone()).filter(|subject| !subject.is_empty());
    let subjects: Vec<String> = one.into_iter().chain(there.filter_subjects.clone()).collect();
    (subjects != [wanted]).then_some(subjects)
}

impl Bus {
    /// Begins to read. A consumer that is there goes on where it stopped.
    ///
    /// # Errors
    /// The consumer is not there and cannot be made, or reads another subject; the stream belongs
    /// to another installation.
    pub async fn follow(&self, options: &FollowOptions) -> Result<Follower, BusError> {
        let mut follower = Follower {
            bus: self.clone(),
            options: options.clone(),
            source: None,
            batch: None,
            unreadable: VecDeque::new(),
            searched: None,
            stream_created: None,
            unsettled: Arc::default(),
        };
        match follower.look().await {
            Ok(_) => Ok(follower),
            Err(Failure::Passing(error) | Failure::Final(error)) => Err(error),
        }
    }
}

impl Follower {
    /// The next event; waits for it, also while the broker is away. At most `most` that nobody
    /// works on yet are held here.
    ///
    /// # Errors
    /// Only a restart or a person can help: the client library has ended, the stream belongs to
    /// another installation, or the consumer reads another subject.
    pub async fn next(&mut self, most: usize) -> Result<Followed, BusError> {
        loop {
            if let Some(event) = self.unreadable.pop_front() {
                return Ok(event);
            }
            match self.try_next(most).await {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => {}
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(error)) => self.pause(error).await?,
            }
        }
    }

    /// `None`: the pull has ended, or has to wait for what a search found.
    async fn try_next(&mut self, most: usize) -> Result<Option<Followed>, Failure> {
        if self.batch.is_none() {
            self.batch = self.pull(most).await?;
        }
        let Some(batch) = &mut self.batch else { return Ok(None) };
        match batch.next().await {
            Some(Ok(message)) => Ok(self.handed_out(message)),
            Some(Err(error)) => Err(self.passing(error.as_ref())),
            None => {
                self.batch = None;
                Ok(None)
            }
        }
    }

    async fn pause(&mut self, error: BusError) -> Result<(), BusError> {
        (self.batch, self.source) = (None, None);
        if self.bus.is_dead().await {
            return Err(BusError::Connect {
                url: self.bus.url.to_string(),
                reason: "the client library has ended, as it does over headers that it cannot \
                         read: start this again, and it gets past them"
                    .to_owned(),
            });
        }
        warn!(consumer = self.options.durable, %error, "events cannot be read at the moment");
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }

    /// `None`: a search found something, which comes first.
    async fn pull(&mut self, most: usize) -> Result<Option<pull::Batch>, Failure> {
        let connection = Some(self.bus.connections());
        let is_known = self.searched == connection;
        let fresh = self.source.take();
        let fresh = fresh.filter(|source| is_known && source.looked_at.elapsed() < LOOK_EVERY);
        let source = match fresh {
            Some(source) => source,
            None => Source { consumer: self.look().await?, looked_at: Instant::now() },
        };
        if !is_known {
            self.search(source.consumer.cached_info()).await;
            self.searched = connection;
        }
        let consumer = &self.source.insert(source).consumer;
        if !self.unreadable.is_empty() {
            return Ok(None);
        }
        let batch = consumer.batch().max_messages(most.max(1)).expires(PULL_EXPIRES);
        let batch = batch.messages().await;
        batch.map(Some).map_err(|e| self.passing(&e))
    }

    /// Stream and consumer at the server; makes the consumer where it is missing.
    async fn look(&mut self) -> Result<Consumer<pull::Config>, Failure> {
        let name = self.bus.namespace.stream(EVENTS);
        let stream = self.bus.jetstream.get_stream(name).await.map_err(|e| self.passing(&e))?;
        let info = stream.cached_info();
        self.check_owner(info)?;
        let is_same = self.stream_created == Some(info.created);
        let wanted = self.config(info.created);
        let consumer = stream.get_or_create_consumer(self.options.durable, wanted.clone()).await;
        let consumer = consumer.map_err(|e| self.passing(&e))?;
        self.check_subject(consumer.cached_info())?;
        let consumer = self.with_limits(&stream, consumer, &wanted).await?;
        if !is_same {
            let info = consumer.cached_info();
            *lock(&self.unsettled) = Unsettled::of(info.config.deliver_policy, info.created);
        }
        self.stream_created = Some(info.created);
        Ok(consumer)
    }

    fn config(&self, stream_created: OffsetDateTime) -> pull::Config {
        let FollowOptions { durable, subject, from_oldest, ack_wait, max_unsettled } =
            &self.options;
        let since = lock(&self.unsettled).since();
        pull::Config {
            durable_name: Some((*durable).to_owned()),
            description: Some("a webhook".to_owned()),
            filter_subject: self.bus.namespace.subject(subject),
            deliver_policy: begin(*from_oldest, self.stream_created, stream_created, since),
            ack_policy: AckPolicy::Explicit,
            ack_wait: *ack_wait,
            max_ack_pending: (*max_unsettled).into(),
            ..pull::Config::default()
        }
    }

    /// A consumer of an earlier version gets the limits of this one.
    async fn with_limits(
        &self,
        stream: &Stream,
        there: Consumer<pull::Config>,
        wanted: &pull::Config,
    ) -> Result<Consumer<pull::Config>, Failure> {
        let config = &there.cached_info().config;
        let (max_ack_pending, ack_wait) = (wanted.max_ack_pending, wanted.ack_wait);
        if (config.max_ack_pending, config.ack_wait) == (max_ack_pending, ack_wait) {
            return Ok(there);
        }
        let config = pull::Config::try_from_consumer_config(config.clone());
        let config = config.map_err(|e| self.passing(e.as_ref()))?;
        let config = pull::Config { max_ack_pending, ack_wait, ..config };
        stream.update_consumer(config).await.map_err(|e| self.passing(&e))
    }

    fn check_owner(&self, there: &stream::Info) -> Result<(), Failure> {
        match (there.config.metadata.get(INSTALLATION), &self.bus.installation) {
            (Some(owner), Some(ours)) if owner.as_str() != &**ours => {
                Err(Failure::Final(BusError::OtherInstallation {
                    stream: there.config.name.clone(),
                    url: self.bus.url.to_string(),
                    owner: owner.clone(),
                    ours: ours.to_string(),
                }))
            }
            _ => Ok(()),
        }
    }

    fn check_subject(&self, there: &consumer::Info) -> Result<(), Failure> {
        let FollowOptions { durable, subject, .. } = &self.options;
        let wanted = self.bus.namespace.subject(subject);
        let Some(others) = other_subjects(&there.config, &wanted) else { return Ok(()) };
        let others: Vec<&str> = others.iter().map(|other| self.bus.namespace.bare(other)).collect();
        let others = if others.is_empty() { "every event".to_owned() } else { others.join(", ") };
        Err(Failure::Final(broken(
            durable,
            format!("it was made for {others}, and not for {subject}: give another --name"),
        )))
    }

    fn handed_out(&self, message: Message) -> Option<Followed> {
        let followed = self.followed(message);
        let followed = followed.inspect_err(|error| warn!(error, "an event is left out")).ok()?;
        lock(&self.unsettled).handed_out(followed.stored_at, followed.sequence);
        Some(followed)
    }

    fn followed(&self, message: Message) -> Result<Followed, String> {
        let info = message.info().map_err(|e| e.to_string())?;
        let (sequence, nanos) = (info.stream_sequence, info.published.unix_timestamp_nanos());
        let stored = StoredAt { stream: info.stream, nanos, sequence };
        let key = message_key(id_of(message.headers.as_ref()).as_deref(), &stored);
        let attempts = u64::try_from(info.delivered).unwrap_or(1);
        let stored_at = info.published;
        Ok(Followed {
            subject: clean(self.bus.namespace.bare(&message.subject)),
            headers: headers(message.headers.as_ref()),
            payload: message.payload.clone(),
            key,
            attempts,
            stored_at,
            is_readable: true,
            sequence,
            unsettled: Arc::clone(&self.unsettled),
            receipt: Box::new(message.split().1),
        })
    }

    fn passing(&self, error: &(dyn Error + 'static)) -> Failure {
        Failure::Passing(broken(self.options.durable, runtime::chain(error)))
    }
}

impl Followed {
    /// It does not come again.
    pub async fn done(&self) {
        self.receipt.settle(Settlement::Ack).await;
        lock(&self.unsettled).settled(self.stored_at, self.sequence);
    }

    /// It comes again after this.
    pub async fn again(&self, after: Duration) {
        self.receipt.settle(Settlement::Nak(after)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_is_known_by_what_it_reads() {
        let changed = "movies.changed.*".to_owned();
        let filtered = |one: &str, several: &[&str]| consumer::Config {
            filter_subject: one.to_owned(),
            filter_subjects: several.iter().map(ToString::to_string).collect(),
            ..consumer::Config::default()
        };
        for (there, others) in [
            (filtered("movies.changed.*", &[]), None),
            (filtered("", &["movies.changed.*"]), None),
            (filtered("movies.run.*", &[]), Some(vec!["movies.run.*".to_owned()])),
            (
                filtered("", &["movies.changed.*", "movies.run.*"]),
                Some(vec![changed.clone(), "movies.run.*".to_owned()]),
            ),
            (filtered("", &[]), Some(Vec::new())),
        ] {
            assert_eq!(other_subjects(&there, &changed), others);
        }
    }
}
