//! A simulator of the upstream movie catalogue, for the demo, tests and benchmarks.
//!
//! It speaks the upstream's HTTP API below `/3`, answers from an invented catalogue (a pure function of a seed) or from
//! recorded answers, and misbehaves on request: latency, a rate limit, faults, an outage. [`Control`] and the HTTP
//! interface below `/_sim` change and observe the same state. HTTP/1.1 is written by hand because half of the faults
//! (a reset, a truncated body, a stall) happen below the level a web framework can reach.

mod api;
mod catalogue;
mod changes;
mod control;
mod faults;
mod http;
mod lists;
mod operator;
mod options;
mod recorded;
mod render;
mod server;
mod state;
mod stats;

pub use control::Control;
pub use faults::Faults;
pub use options::{Options, SimError};
pub use server::Sim;
pub use stats::Stats;
