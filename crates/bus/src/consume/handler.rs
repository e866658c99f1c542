//! A handler whose types are erased: what consumes messages is compiled once, not once per handler.

use std::{pin::Pin, sync::Arc};

use delivery::{Classify, Delivery, Effect, Fate, Handler, Outcome};
use proto::{Event, MessageKey};

use super::decode::decode;

/// An attempt under way.
pub(super) type Attempt = Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + Send>>;

/// An attempt that failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) fate: Fate,
    /// The chain of errors, for people.
    pub(super) error: String,
}

pub(super) trait AnyHandler: Send + Sync {
    fn durable(&self) -> &'static str;

    /// The work that a payload asks for; the error says what is wrong with the payload. `ce_type`:
    /// what its headers say it is, if they do.
    fn read(&self, ce_type: Option<&str>, payload: &[u8]) -> Result<Box<dyn Work>, String>;
}

/// An event that was read, with its handler.
pub(super) trait Work: Send + Sync {
    fn attempt(&self, delivery: Delivery) -> Attempt;

    fn effect(&self, key: &MessageKey) -> Effect;
}

pub(super) struct Typed<H>(pub(super) Arc<H>);

impl<H: Handler> AnyHandler for Typed<H> {
    fn durable(&self) -> &'static str {
        self.0.durable()
    }

    fn read(&self, ce_type: Option<&str>, payload: &[u8]) -> Result<Box<dyn Work>, String> {
        let expected = H::Event::TYPE;
        if let Some(other) = ce_type.filter(|found| found.starts_with("movies."))
            && other != expected
        {
            // A consumer that pushes events into a subject of work would have each refresh order
            // the next one.
            return Err(format!("ce-type says that it is {other}; {expected} is worked on here"));
        }
        let event = decode::<H::Event>(payload)?;
        Ok(Box::new(TypedWork { handler: Arc::clone(&self.0), event }))
    }
}

struct TypedWork<H: Handler> {
    handler: Arc<H>,
    event: H::Event,
}

impl<H: Handler> Work for TypedWork<H> {
    fn attempt(&self, delivery: Delivery) -> Attempt {
        let (handler, event) = (Arc::clone(&self.handler), self.event.clone());
        Box::pin(async move {
            let done = handler.handle(event, &delivery).await;
            done.map_err(|e| Failure { fate: e.fate(), error: runtime::chain(&e) })
        })
    }

    fn effect(&self, key: &MessageKey) -> Effect {
        self.handler.effect(&self.event, key)
    }
}
