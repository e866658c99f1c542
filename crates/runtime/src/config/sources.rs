//! Where settings come from: flags > environment > `mangoes.toml` > defaults.

use std::{collections::BTreeMap, ffi::OsString, io::ErrorKind, path::Path};

use super::{error::ConfigError, names::PGPASSWORD, settings::is_setting};

/// The file of settings, in the current directory.
const FILE: &str = "mangoes.toml";
/// `NAME_FILE` names a file that holds the value of `NAME`.
const FILE_SUFFIX: &str = "_FILE";

/// A value and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) value: String,
    /// The source for people, such as `environment` or `mangoes.toml`.
    pub(super) origin: String,
    /// Whether the source is the file of settings, the weakest one.
    from_file: bool,
    /// Whether the value is the content of a file of its own, which may change.
    pub(super) is_pointed_to: bool,
}

impl Found {
    fn in_flag(value: &str) -> Self {
        Self::new(value.to_owned(), "flag".to_owned())
    }

    fn in_env(value: String) -> Self {
        Self::new(value, "environment".to_owned())
    }

    fn in_file(value: &str) -> Self {
        Self { from_file: true, ..Self::new(value.to_owned(), FILE.to_owned()) }
    }

    fn new(value: String, origin: String) -> Self {
        Self { value, origin, from_file: false, is_pointed_to: false }
    }
}

/// Where settings come from, strongest first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Flags of the command line, by the name of their setting.
    pub flags: BTreeMap<&'static str, String>,
    /// The environment.
    pub env: BTreeMap<String, OsString>,
    pub(super) file: BTreeMap<String, String>,
}

impl Sources {
    /// The process's environment, and `mangoes.toml` in the current directory if it is there.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else than known settings.
    pub fn of_process() -> Result<Self, ConfigError> {
        // Other variables may hold anything, also what is not UTF-8.
        let env = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            is_known(&name).then_some((name, value))
        });
        Ok(Self { flags: BTreeMap::new(), env: env.collect(), file: read_file(Path::new(FILE))? })
    }

    /// A value by the setting's name. An empty one counts as not set.
    ///
    /// # Errors
    /// When it is not UTF-8, or the file that should hold it cannot be read.
    pub(super) fn get(&self, name: &str) -> Result<Option<Found>, ConfigError> {
        if let Some(value) = self.flags.get(name) {
            return Ok(Some(Found::in_flag(value)));
        }
        if let Some(value) = self.env(name)? {
            return Ok(Some(Found::in_env(value)));
        }
        let pointer = format!("{name}{FILE_SUFFIX}");
        if let Some(path) = self.env(&pointer)?
            && let Some(found) = pointed_to(&pointer, &path, false)?
        {
            return Ok(Some(found));
        }
        if let Some(value) = self.file(name) {
            return Ok(Some(Found::in_file(value)));
        }
        self.file(&pointer).map_or(Ok(None), |path| pointed_to(&pointer, path, true))
    }

    /// The value of `first`, unless only `second` comes from a stronger source.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) fn stronger(
        &self,
        first: &str,
        second: &str,
    ) -> Result<Option<String>, ConfigError> {
        let found = match (self.get(first)?, self.get(second)?) {
            (Some(first), Some(second)) if first.from_file && !second.from_file => Some(second),
            (first, second) => first.or(second),
        };
        Ok(found.map(|found| found.value))
    }

    fn env(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.env.get(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let text = value.to_str().ok_or_else(|| {
            ConfigError(format!("{name}: its value in the environment is not UTF-8: set it again"))
        })?;
        Ok(Some(text.to_owned()))
    }

    fn file(&self, name: &str) -> Option<&str> {
        self.file.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The content of the file at `path`, which the setting `pointer` names. The path is not repeated
/// where there is no such file: it may be the secret itself.
fn pointed_to(pointer: &str, path: &str, from_file: bool) -> Result<Option<Found>, ConfigError> {
    let wrong = |e| {
        ConfigError(format!(
            "{pointer}: the file that it names cannot be read ({e}): set it to the path of a file \
             with the value"
        ))
    };
    let text = std::fs::read_to_string(path).map_err(wrong)?;
    // A password may begin or end with any character but that of a file's last line.
    let is_password = pointer.strip_suffix(FILE_SUFFIX) == Some(PGPASSWORD);
    let value = if is_password { text.trim_end_matches(['\r', '\n']) } else { text.trim() };
    let origin = format!("{pointer} {path}");
    let found = Found { value: value.to_owned(), origin, from_file, is_pointed_to: true };
    Ok(Some(found).filter(|found| !found.value.is_empty()))
}

/// Whether this is the name of a setting, or of the file that holds one.
fn is_known(name: &str) -> bool {
    is_setting(name) || name.strip_suffix(FILE_SUFFIX).is_some_and(is_setting)
}

/// Settings by name, in upper case as in the environment. Without the file there are none.
fn read_file(path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let not_text = |_| ConfigError(format!("{FILE} is not UTF-8: save it as UTF-8"));
            parse(&String::from_utf8(bytes).map_err(not_text)?)
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(e) => Err(ConfigError(format!(
            "{FILE} cannot be read ({e}): give this user the right to read it, or move it away"
        ))),
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    // The parser's own message may repeat the line, and a line may hold a password.
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let place = e.span().map(|span| place(text, span.start)).unwrap_or_default();
        ConfigError(format!(
            "{FILE}{place} is not TOML: write name = \"value\", each setting on its own line"
        ))
    })?;
    table.into_iter().map(|(key, value)| setting(&key, value)).collect()
}

fn setting(key: &str, value: toml::Value) -> Result<(String, String), ConfigError> {
    let name = key.to_uppercase();
    let value = match value {
        toml::Value::Table(_) => {
            return Err(ConfigError(format!(
                "{FILE}: there is no table [{key}]: write settings outside of tables"
            )));
        }
        _ if key != name.to_lowercase() || !is_known(&name) => {
            return Err(ConfigError(format!(
                "{FILE}: there is no setting '{key}': `mangoes config` lists them; write the name \
                 in lower case"
            )));
        }
        toml::Value::String(text) => text,
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_) => {
            return Err(ConfigError(format!(
                "{FILE}: '{key}' must be a text or a whole number, as {key} = \"…\""
            )));
        }
    };
    Ok((name, value))
}

/// ` line 3, column 14`, both from 1.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    format!(" line {}, column {column}", before.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_broken_file_is_reported_by_its_place_without_its_text() {
        for (text, expected) in [
            ("tmdb_rate = 4\ntmdb_token = sesame\n", "line 2, column 14"),
            ("tmdb_token = \"sesame\n", "line 1, column"),
            ("tmdb_token = \"sesame\"\ntmdb_token = \"sesame\"", "line 2, column 1"),
            ("sesame", "line 1, column"),
            ("[mangoes]\ntmdb_token = \"sesame\"", "no table [mangoes]"),
            ("tmdb_tokne = \"sesame\"", "no setting 'tmdb_tokne'"),
            ("TMDB_TOKEN = \"sesame\"", "no setting 'TMDB_TOKEN'"),
            ("tmdb_token = [\"sesame\"]", "'tmdb_token' must be a text"),
            ("tmdb_rate = 4.5", "'tmdb_rate' must be a text or a whole number"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(
                error.contains(expected) && error.contains(FILE) && !error.contains("sesame"),
                "{text}: {error}"
            );
        }
        let good = parse("tmdb_rate = 4\nnats_url_file = \"/x\"").unwrap();
        assert_eq!(good.get("TMDB_RATE").map(String::as_str), Some("4"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_and_a_missing_one_is_none() {
        assert_eq!(read_file(Path::new("/nowhere/mangoes.toml")).unwrap(), BTreeMap::new());
        let error = read_file(Path::new("/")).unwrap_err().to_string();
        assert!(error.contains("mangoes.toml cannot be read"), "{error}");
    }

    #[test]
    fn the_stronger_source_wins_and_says_so() {
        let folder = std::env::temp_dir().join(format!("mangoes-sources-{}", std::process::id()));
        std::fs::write(&folder, "from a file\n").unwrap();
        let path = folder.display().to_string();
        let mut sources = Sources {
            file: parse(&format!("tmdb_token_file = \"{path}\"")).unwrap(),
            ..Sources::default()
        };
        let mut expect = |change: &dyn Fn(&mut Sources), value: &str, origin: &str| {
            change(&mut sources);
            let found = sources.get("TMDB_TOKEN").unwrap().unwrap();
            assert_eq!((found.value.as_str(), found.origin.as_str()), (value, origin));
        };
        let pointer = format!("TMDB_TOKEN_FILE {path}");
        expect(&|_| {}, "from a file", &pointer);
        expect(&|s| s.file.extend([("TMDB_TOKEN".into(), "toml".into())]), "toml", FILE);
        expect(
            &|s| s.env.extend([("TMDB_TOKEN_FILE".into(), path.clone().into())]),
            "from a file",
            &pointer,
        );
        expect(&|s| s.env.extend([("TMDB_TOKEN".into(), "env".into())]), "env", "environment");
        expect(&|s| s.env.extend([("TMDB_TOKEN".into(), "".into())]), "from a file", &pointer);
        expect(&|s| s.flags.extend([("TMDB_TOKEN", "flag".into())]), "flag", "flag");
        std::fs::write(&folder, "\n").unwrap();
        let empty = Sources {
            file: parse(&format!("tmdb_token_file = \"{path}\"")).unwrap(),
            ..Sources::default()
        };
        assert_eq!(empty.get("TMDB_TOKEN").unwrap(), None, "an empty file counts as not set");
        std::fs::remove_file(folder).unwrap();
    }

    #[test]
    fn a_credential_of_a_stronger_source_wins_over_a_token_of_a_weaker_one() {
        let chosen = |file: &str, env: &[(&str, &str)]| {
            let env = env.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
            let sources = Sources { file: parse(file).unwrap(), env, ..Sources::default() };
            sources.stronger("TMDB_TOKEN", "TMDB_API_KEY").unwrap()
        };
        assert_eq!(
            chosen("tmdb_token = \"old\"", &[("TMDB_API_KEY", "new")]).as_deref(),
            Some("new")
        );
        assert_eq!(
            chosen("tmdb_api_key = \"old\"", &[("TMDB_TOKEN", "new")]).as_deref(),
            Some("new")
        );
        assert_eq!(
            chosen("", &[("TMDB_TOKEN", "token"), ("TMDB_API_KEY", "key")]).as_deref(),
            Some("token")
        );
        assert_eq!(chosen("tmdb_api_key = \"key\"", &[]).as_deref(), Some("key"));
        assert_eq!(chosen("", &[]), None);
    }

    /// A secret, set where the path of its file belongs.
    #[test]
    fn what_is_no_file_is_not_repeated() {
        let mut sources = Sources::default();
        sources.env.insert("DATABASE_URL_FILE".to_owned(), "postgres://u:sesame@h/d".into());
        let error = sources.get("DATABASE_URL").unwrap_err().to_string();
        assert!(error.contains("DATABASE_URL_FILE") && !error.contains("sesame"), "{error}");
    }

    #[test]
    fn what_is_not_utf_8_is_named() {
        let mut sources = Sources::default();
        sources.env.insert("NATS_URL".to_owned(), OsString::from_vec(vec![0xff]));
        assert!(sources.get("NATS_URL").unwrap_err().to_string().contains("NATS_URL"));
    }
}
