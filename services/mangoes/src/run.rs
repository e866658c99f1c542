//! What runs until it is stopped: servers, services, and the demo that uses both.

pub(crate) mod demo;
mod process;
pub(crate) mod serve;
pub(crate) mod servers;
pub(crate) mod services;
pub(crate) mod simulator;
pub(crate) mod tmdb;
pub(crate) mod up;
