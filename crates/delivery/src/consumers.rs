//! Every consumer of the installation: the one list.

use proto::Action;

/// A consumer: its file in `nats/consumers`, and whose work its messages carry.
#[derive(Debug, Clone, Copy)]
pub struct Consumer {
    /// Its durable name.
    pub durable: &'static str,
    /// The text of its file.
    pub json: &'static str,
    /// A run of this action is under way while the consumer has messages.
    pub action: Action,
}

macro_rules! consumer {
    ($durable:literal, $action:ident) => {
        Consumer {
            durable: $durable,
            json: include_str!(concat!("../../../nats/consumers/", $durable, ".json")),
            action: Action::$action,
        }
    };
}

/// Every consumer.
pub const CONSUMERS: [Consumer; 9] = [
    consumer!("ticks-ingest", Ingest),
    consumer!("ticks-scan", Scan),
    consumer!("ticks-refresh", Refresh),
    consumer!("ticks-maintain", Maintain),
    consumer!("ingest-list", Ingest),
    consumer!("ingest-movie", Ingest),
    consumer!("refresh-now", Scan),
    consumer!("refresh-fresh", Scan),
    consumer!("refresh-bulk", Scan),
];
