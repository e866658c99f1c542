//! Publishing with a message id, confirmed by the stream.

use std::borrow::Cow;

use async_nats::jetstream::message::PublishMessage;
use async_nats::{HeaderMap, HeaderName, HeaderValue};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::{Bus, BusError, topology};

/// `max_msg_size` of the streams, less the headers.
const MESSAGE_MAX_BYTES: usize = 1_048_576 - 4_096;

/// What every event of ours says of itself (CloudEvents 1.0, binary mode of the NATS binding).
const CLOUD_EVENT: [(&str, &str); 3] = [
    ("ce-specversion", "1.0"),
    ("ce-datacontenttype", "application/json"),
    ("Content-Type", "application/json"),
];

/// A message on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where to.
    pub subject: String,
    /// `Nats-Msg-Id`; the same on every repetition.
    pub message_id: String,
    /// Further headers: a JSON object of strings.
    pub headers: serde_json::Value,
    /// The body.
    pub payload: Vec<u8>,
}

/// What an attribute of CloudEvents percent-encodes: besides these and controls, all that is not
/// ASCII (CloudEvents 1.0.3, NATS binding, section 3.1.3.2).
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// The value of a header.
fn encoded<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if name.starts_with("ce-") { utf8_percent_encode(value, ENCODED).into() } else { value.into() }
}

impl Bus {
    /// Publishes and waits for the stream's confirmation.
    ///
    /// # Errors
    /// `TooLarge` and `Unpublishable` never go away. Otherwise it was not confirmed; it may be
    /// stored all the same, so repeat it with the same id.
    pub async fn publish(&self, message: Outgoing) -> Result<(), BusError> {
        let subject = message.subject.clone();
        let failed = |reason: String| BusError::Publish { subject: subject.clone(), reason };
        let limit = self.client.server_info().max_payload.min(MESSAGE_MAX_BYTES);
        if message.payload.len() > limit {
            return Err(BusError::TooLarge { subject, size: message.payload.len(), limit });
        }
        let unpublishable = |reason: &str| BusError::Unpublishable {
            subject: subject.clone(),
            reason: reason.to_owned(),
        };
        if !topology::is_taken(&subject) {
            return Err(unpublishable("no stream of nats/streams takes its subject"));
        }
        // The library panics on what no header can hold.
        let message_id: HeaderValue = message
            .message_id
            .parse()
            .map_err(|_| unpublishable("its id cannot be the value of a header"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in message.headers.as_object().into_iter().flatten() {
            let text = value.as_str().map(|value| encoded(name, value));
            let (Ok(name), Some(Ok(value))) =
                (name.parse::<HeaderName>(), text.as_deref().map(str::parse::<HeaderValue>))
            else {
                continue;
            };
            headers.insert(name, value);
        }
        headers.insert(async_nats::header::NATS_MESSAGE_ID, message_id);
        for (name, value) in CLOUD_EVENT {
            headers.insert(name, value);
        }
        headers.insert("ce-source", &*self.source);
        let publish = PublishMessage::build().payload(message.payload.into()).headers(headers);
        let confirmation = self
            .jetstream
            .send_publish(self.namespace.subject(&message.subject), publish)
            .await
            .map_err(|e| failed(runtime::chain(&e)))?;
        confirmation.await.map_err(|e| failed(runtime::chain(&e)))?;
        Ok(())
    }
}
