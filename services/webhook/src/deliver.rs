//! One event: sent, sent again, or given up.

use std::{error::Error as _, time::Duration};

use bus::Followed;
use delivery::{DeadMessage, Effect, Ledger, LedgerError, MessageRef};
use proto::Reason;
use reqwest::{StatusCode, header::HeaderMap, redirect::Policy};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::{DatabaseClock, Replay, Store};
use tracing::{error, warn};
use url::Url;

use crate::{
    Options, Secret,
    retry::{Next, next},
};

/// How long the receiver may take.
const ANSWER: Duration = Duration::from_secs(15);
/// Attributes of CloudEvents begin so in messages of NATS and in requests of HTTP.
const ATTRIBUTE: &str = "ce-";

/// Everything that an event is sent with.
pub(crate) struct Delivery {
    /// The durable consumer.
    pub(crate) consumer: &'static str,
    http: reqwest::Client,
    url: Url,
    secret: Option<Secret>,
    give_up_after: Duration,
    store: Store,
    clock: DatabaseClock,
}

impl Delivery {
    pub(crate) async fn new(store: Store, options: &Options) -> anyhow::Result<Self> {
        // An error means that another part of this process installed one before: that one will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(ANSWER)
            // A receiver that has moved is told by its owner, not by an answer.
            .redirect(Policy::none())
            .user_agent(concat!("mangoes/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            // One for each process: messages are known by the name of their consumer.
            consumer: format!("{}{}", Replay::WEBHOOK, options.name).leak(),
            http,
            url: options.url.clone(),
            secret: options.secret.clone(),
            give_up_after: options.give_up_after,
            clock: DatabaseClock::start(&store).await?,
            store,
        })
    }

    /// Sends it and settles it. What cannot be settled is delivered again.
    pub(crate) async fn deliver(&self, event: &Followed) {
        let failure = match self.send(event).await {
            Ok(()) => return event.done().await,
            Err(failure) => failure,
        };
        match next(event.attempts, self.give_up_after) {
            Next::Again(pause) => {
                warn!(
                    subject = event.subject,
                    attempt = event.attempts,
                    pause_secs = pause.as_secs(),
                    failure,
                    "the receiver did not take an event; it is sent again"
                );
                event.again(pause).await;
            }
            Next::GiveUp => self.give_up(event, failure).await,
        }
    }

    /// Gives up an event with headers that nobody can read; tries until that is written. Before it
    /// is settled no other event may be asked for: the broker would deliver this one again.
    pub(crate) async fn give_up_unreadable(&self, event: &Followed) {
        let failure = "its headers cannot be read, and it was not sent".to_owned();
        while let Err(e) = self.dead_letter(event, Reason::UnreadableHeaders, &failure).await {
            warn!(error = %e, "the dead letter of an unreadable event could not be written");
            tokio::time::sleep(self.store.pause()).await;
        }
        event.done().await;
    }

    async fn send(&self, event: &Followed) -> Result<(), String> {
        let (at, id) = (self.clock.now().unix_timestamp(), message_id(&event.key));
        let mut request = self
            .http
            .post(self.url.clone())
            .headers(attributes(event))
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", at.to_string());
        if let Some(secret) = &self.secret {
            let signature = secret.sign(&id, at, &event.payload);
            request = request.header("webhook-signature", signature);
        }
        let answer = request.body(event.payload.clone()).send().await;
        let status = answer.map_err(|e| no_answer(&e))?.status();
        if status.is_success() { Ok(()) } else { Err(refusal(status)) }
    }

    /// The row is written before the message is settled: a crash between them writes it once.
    async fn give_up(&self, event: &Followed, failure: String) {
        match self.dead_letter(event, Reason::NotTaken, &failure).await {
            Ok(()) => event.done().await,
            Err(e) => {
                warn!(error = %e, "the dead letter could not be written; the event comes again");
                event.again(self.store.pause()).await;
            }
        }
    }

    async fn dead_letter(
        &self,
        event: &Followed,
        reason: Reason,
        failure: &str,
    ) -> Result<(), LedgerError> {
        error!(subject = event.subject, failure, "an event is given up: it is a dead letter now");
        let dead = DeadMessage {
            message: MessageRef { consumer: self.consumer, key: event.key.clone() },
            subject: event.subject.clone(),
            reason,
            error: failure.to_owned(),
            attempts: i32::try_from(event.attempts).unwrap_or(i32::MAX),
            payload: event.payload.to_vec(),
            headers: Value::Object(event.headers.clone()),
            first_at: event.stored_at,
        };
        self.store.dead_letter(&dead, &Effect::None).await
    }
}

/// The value of `webhook-id`, the same at each attempt. A key may hold what no header can, and a
/// full stop, which Standard Webhooks forbids.
fn message_id(key: &str) -> String {
    let hash: String = Sha256::digest(key).iter().map(|b| format!("{b:02x}")).collect();
    format!("msg_{hash}")
}

/// The event's attributes; a value that no header can hold is left out.
fn attributes(event: &Followed) -> HeaderMap {
    let named = event
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with(ATTRIBUTE) || name.as_str() == "traceparent");
    named
        .filter_map(|(name, value)| {
            let name = name.parse::<reqwest::header::HeaderName>().ok()?;
            Some((name, value.as_str()?.parse().ok()?))
        })
        .collect()
}

fn refusal(status: StatusCode) -> String {
    format!("the receiver answered {status}")
}

/// Without the address, which may hold a password.
fn no_answer(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("the receiver did not answer within {} s", ANSWER.as_secs());
    }
    let mut cause = error.source();
    let mut words = "the receiver cannot be reached".to_owned();
    while let Some(error) = cause {
        words = format!("the receiver cannot be reached: {error}");
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_gives_an_id_that_a_header_can_hold() {
        let abc = "msg_ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(message_id("abc"), abc);
        let is_token = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for key in ["", "a.b", "a\u{1}b", "\u{e9}", "movie:603:1"] {
            let id = message_id(key);
            assert!(id.len() == abc.len() && id.chars().all(is_token), "{key:?}: {id}");
        }
    }
}
