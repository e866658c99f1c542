//! Behind the safety net: a message that the server delivers no more (`max_deliver`) becomes a dead
//! letter all the same.
//!
//! The server says so only by an advisory, which nobody stores. Attempts are counted in Postgres
//! and end long before; this is for what was delivered again and again without an attempt that
//! counted.

use async_nats::jetstream;
use delivery::MessageRef;
use futures::StreamExt;
use proto::Reason;
use serde::Deserialize;
use tracing::warn;

use super::work::{Unhandled, Worker};
use crate::{
    Bus,
    message_key::{StoredAt, headers, id_of, message_key},
};

#[derive(Deserialize)]
struct MaxDeliveries {
    stream_seq: u64,
    deliveries: u64,
}

/// Listens until it is dropped. Every replica hears it; the inbox lets one of them write the dead
/// letter.
pub(super) async fn listen(bus: Bus, stream: jetstream::stream::Stream, worker: Worker) {
    let consumer = worker.durable();
    let name = &stream.cached_info().config.name;
    let subject = format!("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{name}.{consumer}");
    let mut advisories = match bus.client.subscribe(subject).await {
        Ok(advisories) => advisories,
        Err(error) => {
            return warn!(consumer, %error, "the consumer cannot subscribe to its advisories");
        }
    };
    while let Some(advisory) = advisories.next().await {
        let Ok(advisory) = serde_json::from_slice::<MaxDeliveries>(&advisory.payload) else {
            continue;
        };
        if let Err(error) = give_up(&bus, &stream, &worker, &advisory).await {
            let sequence = advisory.stream_seq;
            warn!(consumer, sequence, error, "a message past max_deliver stays in the stream");
        }
    }
}

async fn give_up(
    bus: &Bus,
    stream: &jetstream::stream::Stream,
    worker: &Worker,
    advisory: &MaxDeliveries,
) -> Result<(), String> {
    let sequence = advisory.stream_seq;
    let message = stream.get_raw_message(sequence).await.map_err(|e| runtime::chain(&e))?;
    let headers = headers(Some(&message.headers));
    let stored = StoredAt {
        stream: &stream.cached_info().config.name,
        nanos: message.time.unix_timestamp_nanos(),
        sequence: message.sequence,
    };
    let consumer = worker.durable();
    let unhandled = Unhandled {
        message: MessageRef {
            consumer,
            key: message_key(id_of(Some(&message.headers)).as_deref(), &stored),
        },
        subject: bus.namespace.bare(&message.subject).to_owned(),
        payload: message.payload.to_vec(),
        headers: headers.into(),
        reason: Reason::MaxDeliver,
        error: format!(
            "delivered {} times without an end (max_deliver of nats/consumers/{consumer}.json)",
            advisory.deliveries
        ),
    };
    worker.give_up(unhandled).await.map_err(|e| e.to_string())?;
    stream.delete_message(sequence).await.map_err(|e| runtime::chain(&e))?;
    Ok(())
}
