//! Whether a process does its work: asked from outside ([`probe`]), answered over HTTP, and watched
//! by the process itself.

pub(crate) mod http;
mod metrics;
pub(crate) mod probe;
mod process;
pub(crate) mod watchdog;

pub(crate) use process::Process;
