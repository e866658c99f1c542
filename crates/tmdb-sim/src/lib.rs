//! A simulator of the upstream movie catalogue, for the demo, tests and benchmarks.
//!
//! It speaks the upstream's HTTP API below `/3`, answers from an invented catalogue (a pure
//! function of a seed) or from recorded answers, and misbehaves where it is asked to: latency, a
//! rate limit, faults, outages, answers from a stale cache. Its clock can be moved on: popularity,
//! votes and lists follow it. The daily export of ids is at
//! `/p/exports/movie_ids_MM_DD_YYYY.json.gz`. [`Control`] and the HTTP interface below `/_sim`
//! change and observe the same state. HTTP/1.1 is written by hand because half of the faults (a
//! reset, a truncated body, a stall) happen below the level that a web framework can reach.

mod api;
mod call_rate;
mod catalogue;
mod changes;
mod control;
mod control_http;
mod details;
mod edits;
mod error;
mod export;
mod faults;
mod find;
mod http;
mod list;
mod lists;
mod options;
mod recorded;
mod render;
mod reply;
mod server;
mod settings;
mod sim_clock;
mod source;
mod state;
mod stats;

pub use control::Control;
pub use error::SimError;
pub use faults::{Cached, Faults};
pub use list::List;
pub use options::Options;
pub use server::Sim;
pub use stats::Stats;
