//! Behind the safety net: a message that the server delivers no more (`max_deliver`) becomes a dead
//! letter all the same.
//!
//! The server says so only by an advisory, which nobody stores. Tries are counted in Postgres and
//! end long before; this is for what was delivered again and again without a try that counted.

use async_nats::jetstream;
use delivery::{Handler, Ledger};
use futures::StreamExt;
use proto::Reason;
use serde::Deserialize;
use tracing::warn;

use crate::{
    Bus,
    key::{headers, message_key},
    settle::Worker,
};

#[derive(Deserialize)]
struct MaxDeliveries {
    stream_seq: u64,
    deliveries: u64,
}

/// Listens until it is dropped. Every replica hears it; the inbox lets one of them write the dead
/// letter.
pub(crate) async fn listen<H: Handler, L: Ledger>(
    bus: Bus,
    stream: jetstream::stream::Stream,
    worker: Worker<H, L>,
) {
    let subject = format!(
        "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{}.{}",
        stream.cached_info().config.name,
        H::DURABLE
    );
    let mut advisories = match bus.client.subscribe(subject).await {
        Ok(advisories) => advisories,
        Err(e) => return warn!(consumer = H::DURABLE, error = %e, "advisories cannot be heard"),
    };
    while let Some(advisory) = advisories.next().await {
        let Ok(told) = serde_json::from_slice::<MaxDeliveries>(&advisory.payload) else { continue };
        if let Err(reason) = give_up(&stream, &worker, &told).await {
            warn!(
                consumer = H::DURABLE,
                sequence = told.stream_seq,
                reason,
                "a message past max_deliver stays in the stream"
            );
        }
    }
}

async fn give_up<H: Handler, L: Ledger>(
    stream: &jetstream::stream::Stream,
    worker: &Worker<H, L>,
    told: &MaxDeliveries,
) -> Result<(), String> {
    let message = stream.get_raw_message(told.stream_seq).await.map_err(|e| runtime::chain(&e))?;
    let headers = headers(Some(&message.headers));
    let key = message_key(
        &headers,
        (&stream.cached_info().config.name, message.time.unix_timestamp_nanos(), message.sequence),
    );
    let text = format!(
        "delivered {} times without an end (max_deliver of nats/consumers/{}.json)",
        told.deliveries,
        H::DURABLE
    );
    let what = ((key, message.subject.to_string()), (message.payload, headers));
    worker.bury_unread(what, (Reason::MaxDeliver, text)).await.map_err(|e| e.to_string())?;
    stream.delete_message(told.stream_seq).await.map_err(|e| runtime::chain(&e))?;
    Ok(())
}
