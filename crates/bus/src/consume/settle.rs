//! Settles a delivery with the broker: the one place that acks.

use std::{pin::Pin, time::Duration};

use async_nats::jetstream::{AckKind, message::Acker};
use tracing::warn;

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// Its effect is committed.
    Ack,
    /// Deliver it again after this long.
    Nak(Duration),
    /// It is a dead letter: deliver it no more.
    Term,
    /// Work goes on: start the ack wait again.
    InProgress,
}

/// The way back to the broker of one delivery.
pub(crate) trait Receipt: Send + Sync {
    fn settle(&self, settlement: Settlement) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl Receipt for Acker {
    /// A lost answer is harmless: the message comes again and meets its inbox row.
    fn settle(&self, settlement: Settlement) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let kind = match settlement {
            Settlement::Ack => AckKind::Ack,
            Settlement::Nak(after) => AckKind::Nak(Some(after)),
            Settlement::Term => AckKind::Term,
            Settlement::InProgress => AckKind::Progress,
        };
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that acks")]
            let told = self.ack_with(kind).await;
            if let Err(e) = told {
                warn!(
                    error = %e,
                    ?settlement,
                    "the delivery could not be settled; the broker will deliver it again"
                );
            }
        })
    }
}
