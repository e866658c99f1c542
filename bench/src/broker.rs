//! NATS as an application beside the program uses it: sends work, hears what became of it.

use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use async_nats::{
    Client, Subscriber,
    jetstream::{self, Context, stream::Stream},
};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use time::OffsetDateTime;

use crate::contender::Done;

/// Messages that wait for the stream's confirmation at once.
const UNCONFIRMED: usize = 256;
/// A queue is held for this long at most.
const HOLD: time::Duration = time::Duration::hours(1);

/// A way for work to the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queue {
    stream: &'static str,
    consumer: &'static str,
    subject: &'static str,
}

/// Movies to bring into the catalogue.
pub(crate) const INGEST: Queue =
    Queue { stream: "MOVIES_INGEST", consumer: "ingest-movie", subject: "movies.ingest.movie" };
/// Movies to read again.
pub(crate) const STALE: Queue =
    Queue { stream: "MOVIES_STALE", consumer: "refresh-now", subject: "movies.stale.now" };

/// A connection.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    client: Client,
    jetstream: Context,
}

impl Broker {
    /// Connects to an embedded server, `nats://USER:PASSWORD@HOST:PORT`.
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let login = url.strip_prefix("nats://").and_then(|rest| rest.split_once('@'));
        let (login, address) = login.context("the address of NATS has no password")?;
        let (user, password) = login.split_once(':').context("NATS has no password")?;
        let options =
            async_nats::ConnectOptions::with_user_and_password(user.into(), password.into());
        let client = options.connect(address).await.context("cannot connect to NATS")?;
        let jetstream = jetstream::new(client.clone());
        Ok(Self { client, jetstream })
    }

    /// Nothing of the queue is delivered until it is released.
    pub(crate) async fn hold(&self, queue: Queue) -> Result<()> {
        let until = OffsetDateTime::from(SystemTime::now()) + HOLD;
        let held = self.stream(queue).await?.pause_consumer(queue.consumer, until).await?;
        ensure!(held.paused, "NATS does not pause {}", queue.consumer);
        Ok(())
    }

    /// The queue is delivered from now on.
    pub(crate) async fn release(&self, queue: Queue) -> Result<()> {
        let held = self.stream(queue).await?.resume_consumer(queue.consumer).await?;
        ensure!(!held.paused, "NATS does not resume {}", queue.consumer);
        Ok(())
    }

    /// Sends one message for each movie; returns when the stream has them all.
    pub(crate) async fn send_all(&self, queue: Queue, ids: &[i64]) -> Result<()> {
        let sends = stream::iter(ids).map(|id| self.send(queue, *id));
        sends.buffer_unordered(UNCONFIRMED).try_collect().await
    }

    /// Sends one message; returns when the stream has it.
    pub(crate) async fn send(&self, queue: Queue, id: i64) -> Result<()> {
        let payload = format!("{{\"tmdb_id\":{id}}}");
        self.jetstream.publish(queue.subject, payload.into()).await?.await?;
        Ok(())
    }

    /// Whether every message of the queue was delivered and acknowledged.
    pub(crate) async fn is_empty(&self, queue: Queue) -> Result<bool> {
        let info = self.stream(queue).await?.consumer_info(queue.consumer).await?;
        Ok(info.num_pending == 0 && info.num_ack_pending == 0)
    }

    /// What is refreshed from now on.
    pub(crate) async fn refreshed(&self) -> Result<Listener> {
        let subscriber = self.client.subscribe("movies.refreshed.*").await?;
        // The server has the subscription.
        self.client.flush().await?;
        Ok(Listener { subscriber })
    }

    async fn stream(&self, queue: Queue) -> Result<Stream> {
        Ok(self.jetstream.get_stream(queue.stream).await?)
    }
}

/// Hears of movies that are done.
#[derive(Debug)]
pub(crate) struct Listener {
    subscriber: Subscriber,
}

impl Listener {
    /// The next movie that is done.
    ///
    /// # Errors
    /// The connection is closed, or the event is none.
    pub(crate) async fn next(&mut self) -> Result<Done> {
        let message = self.subscriber.next().await.context("the connection to NATS is closed")?;
        refreshed(&message.payload).context("an event movies.refreshed cannot be read")
    }
}

fn refreshed(payload: &[u8]) -> Option<Done> {
    let at = Instant::now();
    let event: Value = serde_json::from_slice(payload).ok()?;
    let outcome = event.get("outcome")?.as_str()?.to_owned();
    Some(Done { id: event.get("tmdb_id")?.as_i64()?, outcome, at })
}
