//! Delivery decided without a server: what a message's work is ([`Handler`]), what becomes of it
//! after an error ([`Fate`]), where attempts are counted ([`Ledger`]), and how long a retry waits.
//!
//! Pure: `bus` carries the decisions out on NATS, `store` keeps the ledger in Postgres.

mod fate;
mod handler;
mod ledger;

pub use fate::{Classify, Fate, MAX_RETRIES, backoff};
pub use handler::{Delivery, Handler, Outcome};
pub use ledger::{Ledger, LedgerError, Letter, Standing};
