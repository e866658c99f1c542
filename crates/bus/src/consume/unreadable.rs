//! Messages whose headers the client library cannot read: it drops the connection over them (no
//! UTF-8, a bad name), or its task ends (a carriage return in a value); see docs/adr/0014. The
//! server stores and confirms them all the same, so each becomes a dead letter like any other bad
//! message.
//!
//! They are looked for where they can be: among what a consumer has in flight, when a process
//! begins and when its connection was made again. Messages are read as JSON of the API, for nothing
//! else shows such headers.
use std::time::{Duration, Instant};

use async_nats::{HeaderName, HeaderValue};
use base64::{Engine, prelude::BASE64_STANDARD};
use delivery::MessageRef;
use proto::Reason;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::warn;

use super::work::{Unhandled, Worker};
use crate::{
    Bus,
    message_key::{MESSAGE_ID, StoredAt, clean, message_key},
};

/// How long a look may take: few messages are in flight, and work waits meanwhile.
const LOOK_MAX: Duration = Duration::from_secs(5);
/// The server's code for: no message there, or none of this subject from there on.
const NO_MESSAGE: u64 = 10_037;
/// How every block of headers begins.
const VERSION_LINE: &str = "NATS/1.0";

/// What a consumer has in flight, as the server reports it.
#[derive(Deserialize)]
struct ConsumerInfo {
    num_ack_pending: u64,
    ack_floor: Place,
    delivered: Place,
    config: Filter,
}

#[derive(Deserialize)]
struct Place {
    stream_seq: u64,
}

#[derive(Deserialize)]
struct Filter {
    #[serde(default)]
    filter_subject: String,
}

/// A stored message as JSON; headers and payload in base64.
#[derive(Debug, Deserialize)]
struct Stored {
    subject: String,
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
    time: String,
}

/// Gives up what nobody could read. Whatever keeps it from looking keeps the messages where they
/// are.
pub(super) async fn give_up(bus: &Bus, stream: &str, worker: &Worker) {
    if let Err(error) = look(bus, stream, worker).await {
        let consumer = worker.durable();
        warn!(consumer, error, "what is in flight could not be searched for unreadable headers");
    }
}

async fn look(bus: &Bus, stream: &str, worker: &Worker) -> Result<(), String> {
    let begun = Instant::now();
    let info = format!("CONSUMER.INFO.{stream}.{}", worker.durable());
    let info: ConsumerInfo =
        serde_json::from_value(ask(bus, &info, json!({})).await?).map_err(|e| e.to_string())?;
    if info.num_ack_pending == 0 {
        return Ok(());
    }
    let mut next = info.ack_floor.stream_seq + 1;
    while next <= info.delivered.stream_seq {
        if begun.elapsed() > LOOK_MAX {
            let last = info.delivered.stream_seq;
            return Err(format!("sequences {next} to {last} were not reached in time"));
        }
        let question = json!({"seq": next, "next_by_subj": info.config.filter_subject});
        let answer = ask(bus, &format!("STREAM.MSG.GET.{stream}"), question).await?;
        if answer.pointer("/error/err_code").and_then(Value::as_u64) == Some(NO_MESSAGE) {
            return Ok(());
        }
        let mut message: Stored =
            serde_json::from_value(answer.get("message").cloned().unwrap_or_default())
                .map_err(|e| e.to_string())?;
        message.subject = bus.namespace.bare(&message.subject).to_owned();
        next = message.seq + 1;
        let headers = BASE64_STANDARD.decode(&message.hdrs).map_err(|e| e.to_string())?;
        if !headers.is_empty() && !is_readable(&headers) {
            let unhandled = unhandled(worker.durable(), stream, &message, &headers)?;
            worker.give_up(unhandled).await.map_err(|e| e.to_string())?;
            let question = json!({"seq": message.seq, "no_erase": true});
            ask(bus, &format!("STREAM.MSG.DELETE.{stream}"), question).await?;
        }
    }
    Ok(())
}

fn unhandled(
    consumer: &'static str,
    stream: &str,
    message: &Stored,
    headers: &[u8],
) -> Result<Unhandled, String> {
    let payload = BASE64_STANDARD.decode(&message.data).map_err(|e| e.to_string())?;
    let stored_at = OffsetDateTime::parse(&message.time, &Rfc3339).map_err(|e| e.to_string())?;
    let headers = as_far_as_readable(headers);
    let stored =
        StoredAt { stream, nanos: stored_at.unix_timestamp_nanos(), sequence: message.seq };
    let id = headers.get(MESSAGE_ID).and_then(Value::as_str);
    Ok(Unhandled {
        message: MessageRef { consumer, key: message_key(id, &stored) },
        subject: clean(&message.subject),
        payload,
        headers: headers.into(),
        reason: Reason::UnreadableHeaders,
        error: "its headers cannot be read: names are printable ASCII without ':', values are \
                UTF-8 without line breaks"
            .to_owned(),
    })
}

async fn ask(bus: &Bus, api: &str, question: Value) -> Result<Value, String> {
    let answer = bus
        .client
        .request(format!("{}.{api}", bus.api), question.to_string().into())
        .await
        .map_err(|e| runtime::chain(&e))?;
    serde_json::from_slice(&answer.payload).map_err(|e| e.to_string())
}

/// Whether async-nats 0.51 reads these headers: the rules of its `Connection::try_read_op`.
fn is_readable(headers: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(headers) else { return false };
    let mut lines = text.lines();
    let mut goes_on = false;
    lines.next().map(str::trim_end) == Some(VERSION_LINE)
        && lines.all(|line| {
            let folded = goes_on && line.starts_with(char::is_whitespace);
            goes_on = !line.is_empty();
            match line.split_once(':') {
                _ if line.is_empty() => true,
                _ if folded => line.parse::<HeaderValue>().is_ok(),
                Some((name, value)) => {
                    name.parse::<HeaderName>().is_ok() && value.parse::<HeaderValue>().is_ok()
                }
                None => false,
            }
        })
}

/// For the dead letter: what can be shown of them.
fn as_far_as_readable(headers: &[u8]) -> Map<String, Value> {
    let text = String::from_utf8_lossy(headers).into_owned();
    let lines = text.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (clean(name.trim()), clean(value.trim()).into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_told_apart_as_the_library_does() {
        for (headers, readable) in [
            (&b"NATS/1.0\r\nNats-Msg-Id: order-1\r\nX: \xc3\xa9\r\n\r\n"[..], true),
            (b"NATS/1.0\r\nX: a\r\n b\r\n\r\n", true),
            (b"NATS/1.0\r\nX-User: Jos\xe9\r\n\r\n", false),
            (b"NATS/1.0\r\nX: a\rb\r\n\r\n", false),
            (b"NATS/1.0\r\nno colon\r\n\r\n", false),
            (b"NATS/1.0\r\nX User: a\r\n\r\n", false),
            (b"NATS/1.0 \r\nX: a\r\n\r\n", true),
            (b"NATS/1.0 503\r\n\r\n", false),
            (b"NATS/1.0\r\n folded: first\r\n\r\n", false),
            (b"HTTP/1.1\r\n\r\n", false),
        ] {
            assert_eq!(is_readable(headers), readable, "{}", String::from_utf8_lossy(headers));
        }
        let shown =
            as_far_as_readable(b"NATS/1.0\r\nNats-Msg-Id: order-1\r\nX-User: Jos\xe9\r\n\r\n");
        assert_eq!(shown["Nats-Msg-Id"], "order-1");
        assert_eq!(shown["X-User"], "Jos\u{fffd}");
    }
}
