//! The client of TMDB: deadlines, budget, one request per movie, and the mapping of its answers.
//!
//! The only room that names `reqwest`. Before a call: `gate` (lanes, places, slots of the shared
//! rate) and `breaker` (outages, a refused credential). An error's fate is decided by its type;
//! what is tried again is the message.

mod breaker;
mod call;
mod cancelled;
mod client;
mod config;
mod error;
mod gate;
mod json;
mod list;
mod map;

pub use breaker::Health;
pub use call::{Call, CallContext, CallLog};
pub use cancelled::CancelledRuns;
pub use client::{Client, Fetched, PARTS};
pub use config::{Config, Credential, Secret};
pub use error::TmdbError;
pub use gate::{Rate, Unlimited};
pub use list::{List, ListPage, ListRow, MAX_PAGE};
pub use map::{MapOptions, map};
