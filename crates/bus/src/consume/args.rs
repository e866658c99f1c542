//! What a consumer is started with.

use std::sync::Arc;

use delivery::Ledger;
use tokio_util::sync::CancellationToken;

use super::handler::AnyHandler;
use crate::Bus;

/// What a consumer needs beside its handler.
#[derive(Clone)]
pub struct ConsumerArgs {
    /// The connection.
    pub bus: Bus,
    /// Attempts, handled messages and dead letters.
    pub ledger: Arc<dyn Ledger>,
    /// Messages in flight at once, at least 1.
    pub permits: usize,
    /// Cancelled when the service drains.
    pub drain: CancellationToken,
}

/// A handler with all that it needs to consume.
#[derive(Clone)]
pub(super) struct Consumer {
    pub(super) handler: Arc<dyn AnyHandler>,
    pub(super) args: ConsumerArgs,
}
