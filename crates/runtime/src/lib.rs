//! What every service builds on: clock, fates, configuration, logs, supervision, liveness.

mod clock;
pub mod config;
pub mod fate;
pub mod fault_injection;
pub mod ledger;
mod liveness;
pub mod supervisor;
pub mod telemetry;

pub use clock::{Clock, SystemClock};
pub use config::{
    Config, ConfigError, LogFormat, RefreshMode, Secret, Shown, listen_parts, mask_url,
};
pub use fate::{Classify, Fate, backoff, chain};
pub use ledger::{Ledger, LedgerError, Letter, Standing};
pub use liveness::{Component, Liveness, Stall};
pub use supervisor::{ChildSpec, Root, RootArgs, RootMsg, restart_delay};
