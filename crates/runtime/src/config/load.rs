//! Fills a [`Config`] from its sources, and shows it with the source of each value.

use serde::Serialize;

use super::{
    database,
    error::ConfigError,
    names::{DATABASE_URL, NATS_URL, TMDB_API_KEY, TMDB_TOKEN},
    secret::{Secret, SecretSource},
    setting::Config,
    settings::SETTINGS,
    sources::Sources,
};

const TMDB_DOMAIN: &str = "themoviedb.org";

/// A setting as `mangoes config` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its name in the environment.
    pub name: &'static str,
    /// The value in effect; secrets are masked.
    pub value: String,
    /// The source of the value: flag, environment, a file, `mangoes.toml` or default.
    pub origin: String,
}

impl Config {
    /// Reads and checks every setting.
    ///
    /// # Errors
    /// A sentence that names the setting and the remedy.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for setting in &SETTINGS {
            let found = sources.get(setting.name)?;
            let value = found.as_ref().map(|found| found.value.as_str()).or(setting.default);
            if let Some(value) = value {
                let wrong = |why: String| ConfigError(format!("{}: {why}", setting.name));
                (setting.read)(&mut config, value).map_err(wrong)?;
            }
            config.origins.extend(found.map(|found| (setting.name, found.origin)));
        }
        config.nats.check()?;
        config.nats.source = nats_source(sources)?;
        if let Some(found) = database::read(sources)? {
            config.database_url = Some(found.url);
            config.database_source = found.source;
            config.origins.extend(found.origin.map(|origin| (DATABASE_URL, origin)));
        }
        config.tmdb_credential = sources.stronger(TMDB_TOKEN, TMDB_API_KEY)?.map(Secret::new);
        config.tmdb_source = tmdb_source(sources)?;
        Ok(config)
    }

    /// Whether TMDB itself is asked, and not a simulator or another server in its place.
    #[must_use]
    pub fn asks_tmdb_itself(&self) -> bool {
        let host = url::Url::parse(&self.tmdb_base_url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_lowercase));
        host.is_none_or(|host| host == TMDB_DOMAIN || host.ends_with(&format!(".{TMDB_DOMAIN}")))
    }

    /// Whether a setting has another source than its default.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.origins.contains_key(name)
    }

    /// The settings that say where the database is: `DATABASE_URL`, or variables of libpq.
    #[must_use]
    pub fn database_named_by(&self) -> &str {
        let origin = self.origins.get(DATABASE_URL).filter(|origin| origin.starts_with("PG"));
        origin.map_or(DATABASE_URL, String::as_str)
    }

    /// Every setting with its value and source; secrets are masked.
    #[must_use]
    pub fn shown(&self) -> Vec<Shown> {
        let origin = |name| self.origins.get(name).map_or("default", String::as_str).to_owned();
        SETTINGS
            .iter()
            .map(|setting| Shown {
                name: setting.name,
                value: (setting.show)(self),
                origin: origin(setting.name),
            })
            .collect()
    }
}

/// Where the address is read again: where it stands in a file.
///
/// # Errors
/// As [`Sources::get`].
fn nats_source(sources: &Sources) -> Result<Option<SecretSource>, ConfigError> {
    if !sources.get(NATS_URL)?.is_some_and(|found| found.is_pointed_to) {
        return Ok(None);
    }
    let sources = sources.clone();
    let read = move || Ok(sources.get(NATS_URL)?.map(|found| Secret::new(found.value)));
    Ok(Some(SecretSource::new(read)))
}

/// As [`Sources::get`].
fn tmdb_source(sources: &Sources) -> Result<Option<SecretSource>, ConfigError> {
    let is_file = |name| Ok(sources.get(name)?.is_some_and(|found| found.is_pointed_to));
    if !is_file(TMDB_TOKEN)? && !is_file(TMDB_API_KEY)? {
        return Ok(None);
    }
    let sources = sources.clone();
    let read = move || Ok(sources.stronger(TMDB_TOKEN, TMDB_API_KEY)?.map(Secret::new));
    Ok(Some(SecretSource::new(read)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::mask_url;

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
            ("DATABASE_URL", "postgres://"),
            ("PGPORT", "five"),
            ("PGPORT", "70000"),
            ("PGSSLMODE", "always"),
            ("PGPASSWORD_FILE", "/nowhere/password"),
            ("DATABASE_POOL", "3"),
            ("DATABASE_POOL", "many"),
            ("MANGOES_APP_SCHEMA", "mangoes"),
            ("MANGOES_APP_SCHEMA", "My App"),
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
            mask_url(config.nats.url.unwrap().reveal()),
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
        assert_eq!(names, SETTINGS.map(|setting| setting.name));
        let row = |name| {
            shown.iter().find(|s| s.name == name).map(|s| (s.value.as_str(), s.origin.as_str()))
        };
        assert_eq!(row("TMDB_TOKEN"), Some(("***", "environment")));
        assert_eq!(row("TMDB_API_KEY"), Some(("", "default")));
        assert_eq!(row("TMDB_RATE"), Some(("40", "default")));
        assert_eq!(row("MANGOES_REFRESH_MODE"), Some(("continuous", "default")));
    }

    #[test]
    fn a_database_of_the_variables_is_shown_with_the_names_that_it_comes_from() {
        let config = load(&[
            ("PGHOST", "/run/pg"),
            ("PGDATABASE", "movies"),
            ("PGUSER", "ann"),
            ("PGPASSWORD", "sesame"),
        ])
        .unwrap();
        let shown = config.shown();
        assert!(!format!("{shown:?}{config:?}").contains("sesame"), "{shown:?}");
        let row = |name| {
            shown.iter().find(|s| s.name == name).map(|s| (s.value.as_str(), s.origin.as_str()))
        };
        let address = "postgres://ann:***@%2Frun%2Fpg/movies";
        assert_eq!(row("DATABASE_URL"), Some((address, "PGHOST, PGDATABASE")));
        assert_eq!(config.database_named_by(), "PGHOST, PGDATABASE");
        assert_eq!(row("PGHOST"), Some(("/run/pg", "environment")));
        assert_eq!(row("PGPASSWORD"), Some(("***", "environment")));
        assert_eq!(row("PGPORT"), Some(("", "default")));
        assert_eq!(row("MANGOES_APP_SCHEMA"), Some(("public", "default")));
    }

    #[test]
    fn the_readme_names_every_setting() {
        let readme = include_str!("../../../../README.md");
        for setting in &SETTINGS {
            assert!(readme.contains(&format!("`{}`", setting.name)), "{}", setting.name);
        }
    }

    #[test]
    fn a_server_in_tmdbs_place_is_not_taken_for_tmdb() {
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

    #[test]
    fn what_does_not_fit_together_is_named() {
        for (settings, words) in [
            (vec![("NATS_CERT", "a.pem")], "NATS_KEY"),
            (vec![("NATS_KEY", "a.pem")], "NATS_CERT"),
            (vec![("NATS_JS_DOMAIN", "hub"), ("NATS_JS_API_PREFIX", "js.hub")], "one of them"),
            (vec![("NATS_JS_DOMAIN", "a.b")], "NATS_JS_DOMAIN"),
            (vec![("NATS_INBOX_PREFIX", "a.>")], "NATS_INBOX_PREFIX"),
            (vec![("MANGOES_NAMESPACE", "a b")], "MANGOES_NAMESPACE"),
        ] {
            let error = load(&settings).unwrap_err().to_string();
            assert!(error.contains(words), "{settings:?}: {error}");
        }
        load(&[("NATS_CERT", "a.pem"), ("NATS_KEY", "k.pem"), ("MANGOES_NAMESPACE", "staging")])
            .unwrap();
    }

    #[test]
    fn an_address_in_a_file_is_read_again() {
        let path = std::env::temp_dir().join(format!("mangoes-nats-url-{}", std::process::id()));
        std::fs::write(&path, "nats://a:one@host").unwrap();
        let config = load(&[("NATS_URL_FILE", path.to_str().unwrap())]).unwrap();
        std::fs::write(&path, "nats://a:two@host").unwrap();
        let again = config.nats.source.unwrap().read().unwrap().unwrap();
        assert_eq!(again.reveal(), "nats://a:two@host");
        std::fs::remove_file(path).unwrap();
        assert!(load(&[("NATS_URL", "nats://host")]).unwrap().nats.source.is_none());
    }
}
