//! Configuration: flags > environment > `mangoes.toml` > defaults. Flags are turned into values by the command line.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

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
    /// How stale movies are worked off.
    pub refresh_mode: RefreshMode,
}

/// The settings by name, with what they mean: for `mangoes config` and the documentation.
pub const SETTINGS: [(&str, &str); 17] = [
    ("NATS_URL", "NATS server, nats://host:4222; embedded when not set"),
    ("NATS_CREDS", "credentials file for NATS"),
    ("NATS_REPLICAS", "servers of a NATS cluster that keep a copy of each stream: 1, 3 or 5"),
    ("DATABASE_URL", "Postgres 15 or later, postgres://user:password@host/db; embedded when not set"),
    ("TMDB_TOKEN", "TMDB API read access token (v4)"),
    ("TMDB_API_KEY", "TMDB API key (v3), when there is no token"),
    ("TMDB_BASE_URL", "TMDB, ends in /3"),
    ("TMDB_RATE", "TMDB requests per second, all processes together; 0 = unlimited"),
    ("TMDB_CONCURRENCY", "TMDB requests in flight per process"),
    ("TMDB_LANGUAGE", "language of titles and texts, as en-US"),
    ("TMDB_REGION", "country of certificates, as US"),
    ("TMDB_STREAMING_REGIONS", "countries of streaming offers, as US,CA"),
    ("MANGOES_DATA_DIR", "where embedded servers keep their data"),
    ("MANGOES_LISTEN", "address for health checks, on loopback by default"),
    ("MANGOES_LOG", "pretty or json"),
    ("MANGOES_REFRESH_MODE", "continuous or per_tick"),
    ("RUST_LOG", "log filter, for example info,bus=debug"),
];

/// Where settings come from, strongest first.
pub struct Sources {
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// `mangoes.toml`, its keys in lower case.
    pub file: toml::Table,
}

impl Sources {
    /// The process's environment and `mangoes.toml` in the current directory, if it is there.
    ///
    /// # Errors
    /// When the file is no TOML.
    pub fn of_process() -> Result<Self, ConfigError> {
        let file = match std::fs::read_to_string("mangoes.toml") {
            Ok(text) => text.parse().map_err(|e| ConfigError(format!("mangoes.toml cannot be read: {e}")))?,
            Err(_) => toml::Table::new(),
        };
        Ok(Self { env: std::env::vars().collect(), file })
    }

    fn get(&self, name: &str) -> Result<Option<String>, ConfigError> {
        if let Some(value) = self.env.get(name).filter(|v| !v.is_empty()) {
            return Ok(Some(value.clone()));
        }
        let file_name = format!("{name}_FILE");
        if let Some(path) = self.env.get(&file_name).filter(|v| !v.is_empty()) {
            let text = std::fs::read_to_string(path).map_err(|e| ConfigError(format!("{file_name}: cannot read {path}: {e}")))?;
            return Ok(Some(text.trim().to_owned()));
        }
        Ok(match self.file.get(&name.to_lowercase()) {
            Some(toml::Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
            None => None,
        })
    }

    fn number<N: std::str::FromStr>(&self, name: &str, default: N) -> Result<N, ConfigError> {
        match self.get(name)? {
            None => Ok(default),
            Some(text) => text.trim().parse().map_err(|_| ConfigError(format!("{name}: '{text}' is no whole number from 0 up"))),
        }
    }
}

impl Config {
    /// Reads every setting.
    ///
    /// # Errors
    /// A sentence that names the setting and the remedy.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mode = sources.get("MANGOES_REFRESH_MODE")?.unwrap_or_else(|| "continuous".to_owned());
        let config = Self {
            nats_url: sources.get("NATS_URL")?.map(Secret::new),
            nats_creds: sources.get("NATS_CREDS")?.map(PathBuf::from),
            nats_replicas: sources.number("NATS_REPLICAS", 1)?,
            database_url: sources.get("DATABASE_URL")?.map(Secret::new),
            tmdb_credential: sources.get("TMDB_TOKEN")?.or(sources.get("TMDB_API_KEY")?).map(Secret::new),
            tmdb_base_url: sources.get("TMDB_BASE_URL")?.unwrap_or_else(|| "https://api.themoviedb.org/3".to_owned()),
            tmdb_rate: sources.number("TMDB_RATE", 40)?,
            tmdb_concurrency: sources.number("TMDB_CONCURRENCY", 20_usize)?.max(1),
            tmdb_language: sources.get("TMDB_LANGUAGE")?.unwrap_or_else(|| "en-US".to_owned()),
            tmdb_region: sources.get("TMDB_REGION")?.unwrap_or_else(|| "US".to_owned()),
            tmdb_streaming_regions: sources
                .get("TMDB_STREAMING_REGIONS")?
                .unwrap_or_else(|| "US".to_owned())
                .split(',')
                .map(|region| region.trim().to_owned())
                .collect(),
            data_dir: sources.get("MANGOES_DATA_DIR")?.unwrap_or_else(|| ".mangoes".to_owned()).into(),
            listen: sources.get("MANGOES_LISTEN")?.unwrap_or_else(|| "127.0.0.1:8080".to_owned()),
            log: sources.get("MANGOES_LOG")?.unwrap_or_else(|| "pretty".to_owned()),
            refresh_mode: match mode.as_str() {
                "continuous" => RefreshMode::Continuous,
                "per_tick" => RefreshMode::PerTick,
                other => {
                    return Err(ConfigError(format!("MANGOES_REFRESH_MODE: '{other}' is unknown: use continuous or per_tick")));
                }
            },
        };
        config.checked()
    }

    fn checked(self) -> Result<Self, ConfigError> {
        // Several servers of a cluster are joined by commas.
        for server in self.nats_url.iter().flat_map(|secret| secret.reveal().split(',')) {
            url_of("NATS_URL", server.trim(), &["nats", "tls", "ws", "wss"], "nats://127.0.0.1:4222")?;
        }
        if let Some(secret) = &self.database_url {
            url_of(
                "DATABASE_URL",
                secret.reveal(),
                &["postgres", "postgresql"],
                "postgres://user:password@127.0.0.1:5432/mangoes",
            )?;
        }
        let base = url_of("TMDB_BASE_URL", &self.tmdb_base_url, &["http", "https"], "https://api.themoviedb.org/3")?;
        if !base.path().trim_end_matches('/').ends_with("/3") {
            return Err(ConfigError("TMDB_BASE_URL must end in /3, as in https://api.themoviedb.org/3".to_owned()));
        }
        check_codes(&self)?;
        if ![1, 3, 5].contains(&self.nats_replicas) {
            return Err(ConfigError(format!("NATS_REPLICAS: {} is no number of copies: use 1, 3 or 5", self.nats_replicas)));
        }
        if self.listen.parse::<std::net::SocketAddr>().is_err() {
            return Err(ConfigError(format!("MANGOES_LISTEN: '{}' is no address: use for example 127.0.0.1:8080", self.listen)));
        }
        match self.log.as_str() {
            "pretty" | "json" => Ok(self),
            other => Err(ConfigError(format!("MANGOES_LOG: '{other}' is unknown: use pretty or json"))),
        }
    }

    /// Every setting with its value; secrets are masked.
    #[must_use]
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        let masked = |set: bool| if set { "***".to_owned() } else { String::new() };
        vec![
            ("NATS_URL", self.nats_url.as_ref().map_or_else(|| "(embedded)".to_owned(), |u| mask_url(u.reveal()))),
            ("NATS_CREDS", self.nats_creds.as_ref().map(|p| p.display().to_string()).unwrap_or_default()),
            ("NATS_REPLICAS", self.nats_replicas.to_string()),
            ("DATABASE_URL", self.database_url.as_ref().map_or_else(|| "(embedded)".to_owned(), |u| mask_url(u.reveal()))),
            ("TMDB_TOKEN", masked(self.tmdb_credential.is_some())),
            ("TMDB_BASE_URL", self.tmdb_base_url.clone()),
            ("TMDB_RATE", self.tmdb_rate.to_string()),
            ("TMDB_CONCURRENCY", self.tmdb_concurrency.to_string()),
            ("TMDB_LANGUAGE", self.tmdb_language.clone()),
            ("TMDB_REGION", self.tmdb_region.clone()),
            ("TMDB_STREAMING_REGIONS", self.tmdb_streaming_regions.join(",")),
            ("MANGOES_DATA_DIR", self.data_dir.display().to_string()),
            ("MANGOES_LISTEN", self.listen.clone()),
            ("MANGOES_LOG", self.log.clone()),
            ("MANGOES_REFRESH_MODE", format!("{:?}", self.refresh_mode)),
        ]
    }
}

/// Countries and languages by their form; which of them exist is TMDB's business.
fn check_codes(config: &Config) -> Result<(), ConfigError> {
    let letters = |text: &str, n: usize, upper: bool| {
        text.len() == n && text.bytes().all(|b| if upper { b.is_ascii_uppercase() } else { b.is_ascii_lowercase() })
    };
    let (tongue, country) = config.tmdb_language.split_once('-').map_or((&*config.tmdb_language, None), |(t, c)| (t, Some(c)));
    if !letters(tongue, 2, false) || country.is_some_and(|c| !letters(c, 2, true)) {
        return Err(ConfigError(format!("TMDB_LANGUAGE: '{}' is no language: write it as en-US", config.tmdb_language)));
    }
    if !letters(&config.tmdb_region, 2, true) {
        return Err(ConfigError(format!("TMDB_REGION: '{}' is no country: write it as US", config.tmdb_region)));
    }
    match config.tmdb_streaming_regions.iter().find(|r| !letters(r, 2, true)) {
        Some(r) => Err(ConfigError(format!("TMDB_STREAMING_REGIONS: '{r}' is no country: write them as US,CA"))),
        None => Ok(()),
    }
}

fn url_of(name: &str, text: &str, schemes: &[&str], example: &str) -> Result<url::Url, ConfigError> {
    // The text may hold a password: it is not repeated.
    let wrong = |why: &str| ConfigError(format!("{name} is no usable URL ({why}): write it as {example}"));
    let url = url::Url::parse(text).map_err(|e| wrong(&e.to_string()))?;
    if !schemes.contains(&url.scheme()) {
        return Err(wrong(&format!("scheme '{}'", url.scheme())));
    }
    if url.host_str().is_none_or(str::is_empty) { Err(wrong("no host")) } else { Ok(url) }
}

/// A URL, or several joined by commas, with passwords and tokens cut out.
#[must_use]
pub fn mask_url(text: &str) -> String {
    text.split(',').map(|one| mask_one(one.trim())).collect::<Vec<_>>().join(",")
}

fn mask_one(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else { return "***".to_owned() };
    let hidden = match (url.password(), url.username()) {
        (Some(_), _) => url.set_password(Some("***")),
        // A name without a password is a token of NATS.
        (None, name) if !name.is_empty() && url.scheme() != "postgres" && url.scheme() != "postgresql" => url.set_username("***"),
        (None, _) => Ok(()),
    };
    if hidden.is_err() {
        return "***".to_owned();
    }
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let env = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::load(&Sources { env, file: toml::Table::new() })
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
        assert_eq!(mask_url(config.nats_url.unwrap().reveal()), "nats://u:***@a:4222,nats://b:4223");
        assert!(load(&[("NATS_URL", "nats://a:4222,b")]).is_err(), "each is looked at");
    }

    #[test]
    fn secrets_are_masked() {
        let config =
            load(&[("DATABASE_URL", "postgres://u:sesame@h/d"), ("TMDB_TOKEN", "sesame"), ("NATS_URL", "nats://u:sesame@h")])
                .unwrap();
        let shown = format!("{:?}{config:?}", config.shown());
        assert!(!shown.contains("sesame"), "{shown}");
    }
}
