//! The client of TMDB: deadlines, budget, one request per movie.
//!
//! The only crate that names `reqwest`. Before a call: `breaker` (outages, a refused credential),
//! then `gate` (lanes, calls in flight, slots of the shared rate). An error's fate is decided by
//! its type; it is the message that is retried, not the call.

mod breaker;
mod call;
mod cancelled_runs;
mod client;
mod config;
mod doubts;
mod error;
mod exchange;
mod gate;
mod json;
mod languages;
mod list;
mod movie;
mod transport;

pub use breaker::Health;
pub use call::{Call, CallContext, CallLog};
pub use cancelled_runs::CancelledRuns;
pub use catalogue::PARTS;
pub use client::{Client, Fetched};
pub use config::{Config, Credential, CredentialSource};
pub use error::TmdbError;
pub use gate::{Rate, Unlimited};
pub use list::{ChangesPage, List, ListPage, ListRow, MAX_PAGE};
pub use movie::read_movie;
