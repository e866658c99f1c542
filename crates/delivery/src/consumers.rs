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
    /// The service that works on its messages.
    pub service: Service,
}

/// A service with consumers, by the name that `mangoes serve` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Fires jobs, and does the work of maintenance.
    Scheduler,
    Ingest,
    StalenessScanner,
    Refresh,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Scheduler, Self::Ingest, Self::StalenessScanner, Self::Refresh];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Ingest => "ingest",
            Self::StalenessScanner => "staleness-scanner",
            Self::Refresh => "refresh",
        }
    }
}

macro_rules! consumer {
    ($durable:literal, $action:ident, $service:ident) => {
        Consumer {
            durable: $durable,
            json: include_str!(concat!("../../../nats/consumers/", $durable, ".json")),
            action: Action::$action,
            service: Service::$service,
        }
    };
}

/// Every consumer.
pub const CONSUMERS: [Consumer; 11] = [
    consumer!("ticks-ingest", Ingest, Ingest),
    consumer!("ticks-scan", Scan, StalenessScanner),
    consumer!("ticks-refresh", Refresh, Refresh),
    consumer!("ticks-maintain", Maintain, Scheduler),
    consumer!("ticks-feed", Feed, Ingest),
    consumer!("ingest-list", Ingest, Ingest),
    consumer!("ingest-movie", Ingest, Ingest),
    consumer!("ingest-listed", Ingest, Ingest),
    consumer!("refresh-now", Scan, Refresh),
    consumer!("refresh-fresh", Scan, Refresh),
    consumer!("refresh-bulk", Scan, Refresh),
];
