//! What every service stands on: clock, fates, configuration, telemetry, supervision.

pub mod clock;
pub mod config;
mod error_chain;
pub mod pulse;
pub mod supervisor;
pub mod telemetry;
pub mod trial;

pub use clock::{Clock, SystemClock};
pub use config::{Config, ConfigError, RefreshMode, Secret, Shown, listen_parts, mask_url};
pub use error_chain::chain;
pub use pulse::{Part, Pulse, Still};
pub use supervisor::{ChildSpec, Root, RootArgs, RootMsg, restart_delay};
