//! What every service builds on: configuration, logs, supervision, liveness.

pub mod config;
mod error_chain;
pub mod fault_injection;
mod liveness;
pub mod supervisor;
pub mod telemetry;

pub use config::{
    Config, ConfigError, LogFormat, RefreshMode, Secret, Shown, listen_parts, mask_url,
};
pub use error_chain::chain;
pub use liveness::{Component, Liveness, Stall};
pub use supervisor::{ChildSpec, Root, RootArgs, RootMsg, restart_delay};
