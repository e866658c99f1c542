//! The values that settings end up in, and what one setting is.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    address::mask_url,
    nats_settings::NatsSettings,
    secret::{Secret, SecretSource},
};

/// How stale movies are refreshed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RefreshMode {
    /// As they come, under the TMDB budget.
    #[default]
    Continuous,
    /// At most `max_items` per tick of `refresh_worker`.
    PerTick,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// For machines.
    Json,
}

/// Everything that can be set. [`Config::load`] fills and checks it.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// NATS: where it is, who we are, under which names our streams are there.
    pub nats: NatsSettings,
    /// Postgres, with every part of its address; embedded when absent.
    pub database_url: Option<Secret>,
    /// Where `database_url` is read again, because its password stands in a file.
    pub database_source: Option<SecretSource>,
    /// Connections to Postgres that a process holds at most, all of them counted. `None`: by the
    /// number of its services.
    pub database_pool: Option<u32>,
    /// The schema that holds the app's tables, a plain identifier.
    pub app_schema: String,
    /// TMDB v4 token or v3 key.
    pub tmdb_credential: Option<Secret>,
    /// Where `tmdb_credential` is read again, because it stands in a file.
    pub tmdb_source: Option<SecretSource>,
    /// TMDB, ends in `/3`.
    pub tmdb_base_url: String,
    /// Requests per second for all processes together; 0 = unlimited.
    pub tmdb_rate: u32,
    /// Requests in flight per process, at least 1.
    pub tmdb_concurrency: usize,
    /// Language of titles and texts, as `en-US`.
    pub tmdb_language: String,
    /// Whether lists bring in titles that TMDB calls adult or softcore.
    pub tmdb_adult: bool,
    /// Region of certificates, ISO 3166-1.
    pub tmdb_region: String,
    /// Regions of streaming offers, ISO 3166-1.
    pub tmdb_streaming_regions: Vec<String>,
    /// Where embedded servers and tools live.
    pub data_dir: PathBuf,
    /// Health, metrics, console: `host:port`.
    pub listen: String,
    /// How log lines are written.
    pub log: LogFormat,
    /// Which log lines are written; the program's own choice when absent.
    pub log_filter: Option<String>,
    /// How stale movies are refreshed.
    pub refresh_mode: RefreshMode,
    /// The variables of libpq that are set, without the password.
    pub(super) libpq: BTreeMap<&'static str, String>,
    /// The source of each setting that is set, by name.
    pub(super) origins: BTreeMap<&'static str, String>,
}

/// One setting.
pub(super) struct Setting {
    /// Its name in the environment.
    pub(super) name: &'static str,
    /// Holds where nothing is set; `None`: then the field keeps its empty value.
    pub(super) default: Option<&'static str>,
    /// Checks a value and puts it into the configuration. An error says what is wrong and how to
    /// write it, without the setting's name; it repeats nothing of a secret.
    pub(super) read: fn(&mut Config, &str) -> Result<(), String>,
    /// The value as it may be shown: secrets are masked.
    pub(super) show: fn(&Config) -> String,
}

/// Stores a value that was checked.
pub(super) fn put<T>(field: &mut T, value: T) -> Result<(), String> {
    *field = value;
    Ok(())
}

/// A server's address without its password.
pub(super) fn server(url: Option<&Secret>) -> String {
    url.map_or_else(|| "(embedded)".to_owned(), |url| mask_url(url.reveal()))
}
