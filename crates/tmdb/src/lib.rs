//! The client of TMDB: deadlines, budget, one request per movie, and the mapping of its answers.
//!
//! The only room that names `reqwest`. No retries of its own: an error's fate is decided by whoever asked.

mod call;
mod client;
mod config;
mod error;
mod json;
mod map;

pub use call::{Budget, Call, CallContext, CallLog, Unlimited};
pub use client::{Client, List, ListPage, ListRow, MAX_PAGE, PARTS};
pub use config::{Config, Credential, Secret};
pub use error::TmdbError;
pub use map::{MapOptions, map};
