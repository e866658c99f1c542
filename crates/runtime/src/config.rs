//! Configuration: flags > environment > `mangoes.toml` > defaults. Flags are turned into values by
//! the command line.

mod address;
mod sources;

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use address::mask_url;
pub use sources::Sources;

/// Where TMDB itself is.
const TMDB_ITSELF: &str = "https://api.themoviedb.org/3";
const TMDB_DOMAIN: &str = "themoviedb.org";

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a value.
    #[must_use]
    pub const fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself: for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// How stale movies are worked off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshMode {
    /// As they come, under the TMDB budget.
    #[default]
    Continuous,
    /// At most `max_items` per tick of `refresh_worker`.
    PerTick,
}

/// What is wrong with the configuration: one sentence that names the setting and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// NATS server; embedded when absent.
    pub nats_url: Option<Secret>,
    /// Credentials file for NATS.
    pub nats_creds: Option<PathBuf>,
    /// Servers of a NATS cluster that keep a copy of each stream: 1, 3 or 5.
    pub nats_replicas: u8,
    /// Postgres; embedded when absent.
    pub database_url: Option<Secret>,
    /// TMDB v4 token or v3 key.
    pub tmdb_credential: Option<Secret>,
    /// TMDB, ends in `/3`.
    pub tmdb_base_url: String,
    /// Requests per second for all processes together; 0 = unlimited.
    pub tmdb_rate: u32,
    /// Requests in flight per process.
    pub tmdb_concurrency: usize,
    /// Language of titles and texts, as `en-US`.
    pub tmdb_language: String,
    /// Region of certificates, ISO 3166-1.
    pub tmdb_region: String,
    /// Regions of streaming offers, ISO 3166-1.
    pub tmdb_streaming_regions: Vec<String>,
    /// Where embedded servers and tools live.
    pub data_dir: PathBuf,
    /// Health, metrics, console.
    pub listen: String,
    /// `pretty` or `json`.
    pub log: String,
    /// Which log lines are written; the program's own choice when absent.
    pub log_filter: Option<String>,
    /// How stale movies are worked off.
    pub refresh_mode: RefreshMode,
    /// Where each setting that is set comes from.
    origins: BTreeMap<&'static str, String>,
}

/// The settings by name: every name that `mangoes.toml` may hold, in the order of `mangoes config`.
pub const SETTINGS: [&str; 17] = [
    "NATS_URL",
    "NATS_CREDS",
    "NATS_REPLICAS",
    "DATABASE_URL",
    "TMDB_TOKEN",
    "TMDB_API_KEY",
    "TMDB_BASE_URL",
    "TMDB_RATE",
    "TMDB_CONCURRENCY",
    "TMDB_LANGUAGE",
    "TMDB_REGION",
    "TMDB_STREAMING_REGIONS",
    "MANGOES_DATA_DIR",
    "MANGOES_LISTEN",
    "MANGOES_REFRESH_MODE",
    "MANGOES_LOG",
    "RUST_LOG",
];

/// A setting as `mangoes config` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its name in the environment.
    pub name: &'static str,
    /// What is in effect; secrets are masked.
    pub value: String,
    /// Where the value comes from: flag, environment, a file, `mangoes.toml` or default.
    pub origin: String,
}

impl Config {
    /// Reads every setting.
    ///
    /// # Errors
    /// A sentence that names the setting and the remedy.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let get = |name| Ok::<_, ConfigError>(sources.get(name)?.map(|found| found.value));
        let or = |name, default: &str| {
            Ok::<_, ConfigError>(get(name)?.unwrap_or_else(|| default.to_owned()))
        };
        let mut origins = BTreeMap::new();
        for name in SETTINGS {
            origins.extend(sources.get(name)?.map(|found| (name, found.origin)));
        }
        let regions = or("TMDB_STREAMING_REGIONS", "US")?;
        let config = Self {
            nats_url: get("NATS_URL")?.map(Secret::new),
            nats_creds: get("NATS_CREDS")?.map(PathBuf::from),
            nats_replicas: sources.number("NATS_REPLICAS", 1)?,
            database_url: get("DATABASE_URL")?.map(Secret::new),
            tmdb_credential: sources.stronger("TMDB_TOKEN", "TMDB_API_KEY")?.map(Secret::new),
            tmdb_base_url: or("TMDB_BASE_URL", TMDB_ITSELF)?,
            tmdb_rate: sources.number("TMDB_RATE", 40)?,
            tmdb_concurrency: sources.number("TMDB_CONCURRENCY", 20_usize)?.max(1),
            tmdb_language: or("TMDB_LANGUAGE", "en-US")?,
            tmdb_region: or("TMDB_REGION", "US")?,
            tmdb_streaming_regions: regions
                .split(',')
                .map(|region| region.trim().to_owned())
                .collect(),
            data_dir: or("MANGOES_DATA_DIR", ".mangoes")?.into(),
            listen: or("MANGOES_LISTEN", "127.0.0.1:8080")?,
            log: or("MANGOES_LOG", "pretty")?,
            log_filter: get("RUST_LOG")?,
            refresh_mode: match or("MANGOES_REFRESH_MODE", "continuous")?.as_str() {
                "continuous" => RefreshMode::Continuous,
                "per_tick" => RefreshMode::PerTick,
                other => {
                    return Err(ConfigError(format!(
                        "MANGOES_REFRESH_MODE: '{other}' is unknown: use continuous or per_tick"
                    )));
                }
            },
            origins,
        };
        config.checked()
    }

    /// Whether TMDB itself is asked, and not a simulator or another server in its place.
    #[must_use]
    pub fn asks_tmdb_itself(&self) -> bool {
        let host = url::Url::parse(&self.tmdb_base_url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_lowercase));
        host.is_none_or(|host| host == TMDB_DOMAIN || host.ends_with(&format!(".{TMDB_DOMAIN}")))
    }

    fn checked(self) -> Result<Self, ConfigError> {
        // Several servers of a cluster are joined by commas.
        for server in self.nats_url.iter().flat_map(|secret| secret.reveal().split(',')) {
            address::NATS.read(server.trim())?;
        }
        if let Some(secret) = &self.database_url {
            address::POSTGRES.read(secret.reveal())?;
        }
        if !address::TMDB.read(&self.tmdb_base_url)?.path().trim_end_matches('/').ends_with("/3") {
            return Err(ConfigError(format!("TMDB_BASE_URL must end in /3, as in {TMDB_ITSELF}")));
        }
        check_codes(&self)?;
        if ![1, 3, 5].contains(&self.nats_replicas) {
            return Err(ConfigError(format!(
                "NATS_REPLICAS: {} is not a number of copies: use 1, 3 or 5",
                self.nats_replicas
            )));
        }
        if listen_parts(&self.listen).is_none() {
            return Err(ConfigError(format!(
                "MANGOES_LISTEN: '{}' is not host:port: use for example 127.0.0.1:8080",
                self.listen
            )));
        }
        match self.log.as_str() {
            "pretty" | "json" => Ok(self),
            other => {
                Err(ConfigError(format!("MANGOES_LOG: '{other}' is unknown: use pretty or json")))
            }
        }
    }

    /// Whether a setting has another origin than its default.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.origins.contains_key(name)
    }

    /// Every setting with its value and origin; secrets are masked.
    #[must_use]
    pub fn shown(&self) -> Vec<Shown> {
        SETTINGS
            .iter()
            .map(|name| {
                let origin =
                    self.origins.get(name).cloned().unwrap_or_else(|| "default".to_owned());
                Shown { name, value: self.value_of(name), origin }
            })
            .collect()
    }

    /// One setting's value as it may be shown.
    fn value_of(&self, name: &str) -> String {
        let embedded = |url: &Option<Secret>| {
            url.as_ref().map_or_else(|| "(embedded)".to_owned(), |u| mask_url(u.reveal()))
        };
        match name {
            "NATS_URL" => embedded(&self.nats_url),
            // What is no file may be the credentials themselves, put here by mistake.
            "NATS_CREDS" => match &self.nats_creds {
                Some(path) if path.exists() => path.display().to_string(),
                Some(_) => "(no such file)".to_owned(),
                None => String::new(),
            },
            "NATS_REPLICAS" => self.nats_replicas.to_string(),
            "DATABASE_URL" => embedded(&self.database_url),
            "TMDB_BASE_URL" => mask_url(&self.tmdb_base_url),
            "TMDB_RATE" => self.tmdb_rate.to_string(),
            "TMDB_CONCURRENCY" => self.tmdb_concurrency.to_string(),
            "TMDB_LANGUAGE" => self.tmdb_language.clone(),
            "TMDB_REGION" => self.tmdb_region.clone(),
            "TMDB_STREAMING_REGIONS" => self.tmdb_streaming_regions.join(","),
            "MANGOES_DATA_DIR" => self.data_dir.display().to_string(),
            "MANGOES_LISTEN" => self.listen.clone(),
            "MANGOES_REFRESH_MODE" => match self.refresh_mode {
                RefreshMode::Continuous => "continuous".to_owned(),
                RefreshMode::PerTick => "per_tick".to_owned(),
            },
            "MANGOES_LOG" => self.log.clone(),
            "RUST_LOG" => self.log_filter.clone().unwrap_or_default(),
            // The secrets: whether there is one.
            secret => self.origins.get(secret).map(|_| "***".to_owned()).unwrap_or_default(),
        }
    }
}

/// Host and port of `host:port`.
#[must_use]
pub fn listen_parts(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain = !host.is_empty() && !host.contains([':', '/', '@', ' ']);
    (bracketed || plain).then_some((host, port.parse().ok()?))
}

/// Countries and languages by their form; which of them exist is TMDB's business.
fn check_codes(config: &Config) -> Result<(), ConfigError> {
    let letters = |text: &str, n: usize, upper: bool| {
        text.len() == n
            && text
                .bytes()
                .all(|b| if upper { b.is_ascii_uppercase() } else { b.is_ascii_lowercase() })
    };
    let (tongue, country) = config
        .tmdb_language
        .split_once('-')
        .map_or((&*config.tmdb_language, None), |(t, c)| (t, Some(c)));
    if !letters(tongue, 2, false) || country.is_some_and(|c| !letters(c, 2, true)) {
        return Err(ConfigError(format!(
            "TMDB_LANGUAGE: '{}' is not a language: write it as en-US",
            config.tmdb_language
        )));
    }
    if !letters(&config.tmdb_region, 2, true) {
        return Err(ConfigError(format!(
            "TMDB_REGION: '{}' is not a country: write it as US",
            config.tmdb_region
        )));
    }
    match config.tmdb_streaming_regions.iter().find(|r| !letters(r, 2, true)) {
        Some(r) => Err(ConfigError(format!(
            "TMDB_STREAMING_REGIONS: '{r}' is not a country: write them as US,CA"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let env = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        Config::load(&Sources { env, ..Sources::default() })
    }

    #[test]
    fn bad_values_name_the_setting() {
        for (name, value) in [
            ("NATS_URL", "127.0.0.1"),
            ("NATS_URL", "http://x"),
            ("NATS_REPLICAS", "2"),
            ("DATABASE_URL", "mysql://x/y"),
            ("DATABASE_URL", "postgres//x"),
            ("TMDB_RATE", "-1"),
            ("TMDB_BASE_URL", "https://api.themoviedb.org"),
            ("TMDB_LANGUAGE", "english"),
            ("TMDB_REGION", "us"),
            ("TMDB_STREAMING_REGIONS", "US;CA"),
            ("MANGOES_LISTEN", "8080"),
            ("MANGOES_LISTEN", ":8080"),
            ("MANGOES_LISTEN", "host:http"),
            ("MANGOES_LOG", "xml"),
            ("MANGOES_REFRESH_MODE", "often"),
            ("TMDB_TOKEN_FILE", "/nowhere/token"),
        ] {
            let error = load(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name.trim_end_matches("_FILE")), "{name}: {error}");
        }
    }

    #[test]
    fn several_servers_are_joined_by_commas() {
        let config = load(&[("NATS_URL", "nats://u:sesame@a:4222, nats://b:4223")]).unwrap();
        assert_eq!(
            mask_url(config.nats_url.unwrap().reveal()),
            "nats://u:***@a:4222,nats://b:4223"
        );
        assert!(load(&[("NATS_URL", "nats://a:4222,b")]).is_err(), "each is looked at");
    }

    #[test]
    fn secrets_are_masked_and_every_setting_is_shown_with_its_origin() {
        let config = load(&[
            ("DATABASE_URL", "postgres://u:sesame@h/d"),
            ("TMDB_TOKEN", "sesame"),
            ("NATS_URL", "nats://u:sesame@h"),
        ])
        .unwrap();
        let shown = config.shown();
        assert!(!format!("{shown:?}{config:?}").contains("sesame"), "{shown:?}");
        let names: Vec<_> = shown.iter().map(|s| s.name).collect();
        assert_eq!(names, SETTINGS);
        let row = |name| {
            shown.iter().find(|s| s.name == name).map(|s| (s.value.as_str(), s.origin.as_str()))
        };
        assert_eq!(row("TMDB_TOKEN"), Some(("***", "environment")));
        assert_eq!(row("TMDB_API_KEY"), Some(("", "default")));
        assert_eq!(row("TMDB_RATE"), Some(("40", "default")));
        assert_eq!(row("MANGOES_REFRESH_MODE"), Some(("continuous", "default")));
    }

    #[test]
    fn addresses_to_listen_on() {
        for (text, expected) in [
            ("127.0.0.1:8080", Some(("127.0.0.1", 8080))),
            ("0.0.0.0:0", Some(("0.0.0.0", 0))),
            ("[::1]:80", Some(("[::1]", 80))),
            ("console.internal:80", Some(("console.internal", 80))),
            ("::1:80", None),
            ("host", None),
        ] {
            assert_eq!(listen_parts(text), expected, "{text}");
        }
    }

    #[test]
    fn what_stands_in_tmdbs_place_is_told_from_tmdb() {
        for (base, itself) in [
            ("https://api.themoviedb.org/3", true),
            ("https://API.TheMovieDB.org/3", true),
            ("http://127.0.0.1:8090/3", false),
            ("https://themoviedb.org.example.com/3", false),
        ] {
            assert_eq!(
                load(&[("TMDB_BASE_URL", base)]).unwrap().asks_tmdb_itself(),
                itself,
                "{base}"
            );
        }
    }
}
