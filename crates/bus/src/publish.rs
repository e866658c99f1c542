//! Publishing with a message id, confirmed by the stream.

use async_nats::jetstream::message::PublishMessage;
use async_nats::{HeaderMap, HeaderName, HeaderValue};

use crate::{Bus, BusError, topology};

/// `max_msg_size` of the streams, less the headers.
const MESSAGE_MAX_BYTES: usize = 1_048_576 - 4_096;

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
            let (Ok(name), Some(Ok(value))) =
                (name.parse::<HeaderName>(), value.as_str().map(str::parse::<HeaderValue>))
            else {
                continue;
            };
            headers.insert(name, value);
        }
        headers.insert(async_nats::header::NATS_MESSAGE_ID, message_id);
        let publish = PublishMessage::build().payload(message.payload.into()).headers(headers);
        let confirmation = self
            .jetstream
            .send_publish(message.subject, publish)
            .await
            .map_err(|e| failed(runtime::chain(&e)))?;
        confirmation.await.map_err(|e| failed(runtime::chain(&e)))?;
        Ok(())
    }
}
