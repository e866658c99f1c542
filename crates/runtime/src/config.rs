//! Configuration: flags > environment > `mangoes.toml` > defaults.
//!
//! `settings` is the list of all settings; `sources` finds their values; `load` puts both together.
//! The command line turns its flags into values.

mod address;
mod database;
mod error;
mod load;
mod names;
mod nats;
mod nats_settings;
mod secret;
mod setting;
mod settings;
mod sources;
mod values;

pub use address::mask_url;
pub use error::ConfigError;
pub use load::Shown;
pub use nats_settings::NatsSettings;
pub use secret::{Secret, SecretSource};
pub use setting::{Config, LogFormat, RefreshMode};
pub use sources::Sources;
pub use values::listen_parts;
