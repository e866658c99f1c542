//! Delivery decided without a server: what a message's work is ([`Handler`]), what becomes of it
//! after an error ([`Fate`], [`verdict`]), where attempts are counted ([`Ledger`]), how long a
//! retry waits ([`backoff`]), and who consumes what ([`CONSUMERS`]).
//!
//! Pure: `bus` carries the decisions out on NATS, `store` keeps the ledger in Postgres.

mod consumers;
mod fate;
mod handler;
mod ledger;
mod message;
mod retry;
mod verdict;

pub use consumers::{CONSUMERS, Consumer, Service};
pub use fate::{Classify, Fate};
pub use handler::{Effect, Handler, Outcome};
pub use ledger::{Answer, Attempts, DeadMessage, Ledger, LedgerError};
pub use message::{Delivery, MessageRef};
pub use retry::{MAX_RETRIES, backoff};
pub use verdict::{ALONE_MAX, MAX_CRASHES_ALONE, Others, SUSPECT_AFTER, Verdict, verdict};
