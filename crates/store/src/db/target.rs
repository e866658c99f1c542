//! Which database, and how this process uses it: from settings to what sqlx connects with.

use std::str::FromStr;

use runtime::{Secret, config::SecretSource};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::StoreError;

/// The app's schema where nobody names another.
const APP_SCHEMA: &str = "public";

/// Which database, and how this process uses it.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `postgres://user:password@host:port/name`.
    pub url: Secret,
    /// Where the address is read again, because its password stands in a file.
    pub source: Option<SecretSource>,
    /// The schema of the app's tables, a plain identifier.
    pub app_schema: String,
    /// Shows in `pg_stat_activity`, with a number that differs between processes.
    pub name: String,
    /// Connections at most, all of them counted.
    pub connections: u32,
}

impl StoreOptions {
    /// A database by its address, with the app's tables in `public`.
    #[must_use]
    pub fn new(url: &Secret, name: &str, connections: u32) -> Self {
        Self {
            url: url.clone(),
            source: None,
            app_schema: APP_SCHEMA.to_owned(),
            name: name.to_owned(),
            connections,
        }
    }
}

/// What sqlx connects with.
///
/// # Errors
/// The address is not usable; the sentence holds nothing of its password.
pub(super) fn parsed(url: &Secret, session_name: &str) -> Result<PgConnectOptions, StoreError> {
    let url = with_known_options(url.reveal());
    check_files(&url)?;
    let options = PgConnectOptions::from_str(&url)
        .map_err(|e| StoreError::Setup(format!("DATABASE_URL is not a usable URL: {e}")))?;
    // The variable of libpq, which sqlx reads by itself, is for a server that is given, and stands
    // in the address then.
    let has_mode = url.contains("sslmode=") || url.contains("ssl-mode=");
    let options = if has_mode { options } else { options.ssl_mode(PgSslMode::Prefer) };
    // A pooler refuses the start of a session that sets this; our session sets it afterwards.
    Ok(options.extra_float_digits(None).application_name(session_name))
}

/// The name of this process's sessions. In containers every process has the same id.
pub(super) fn session_name(name: &str) -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let number = RandomState::new().build_hasher().finish() >> 32;
    format!("{name} {number:08x}")
}

/// The options that sqlx 0.9 reads behind the `?` of an address.
const OPTIONS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];
/// Those that name a file.
const FILES: [&str; 7] =
    ["sslrootcert", "ssl-root-cert", "ssl-ca", "sslcert", "ssl-cert", "sslkey", "ssl-key"];

/// The address without the options that only other clients know, such as `channel_binding` or
/// `sslpassword`: sqlx ignores them as well, but writes their values into its log.
fn with_known_options(url: &str) -> String {
    let Some((address, query)) = url.split_once('?') else { return url.to_owned() };
    let is_known = |option: &&str| {
        let name = option.split('=').next().unwrap_or_default();
        OPTIONS.contains(&name) || name.starts_with("options[") || name.starts_with("options%5B")
    };
    let known: Vec<&str> = query.split('&').filter(is_known).collect();
    if known.is_empty() { address.to_owned() } else { format!("{address}?{}", known.join("&")) }
}

/// Certificates and keys that are named must be there: without their names the later error would
/// say no more than "no such file".
fn check_files(url: &str) -> Result<(), StoreError> {
    let Some((_, query)) = url.split_once('?') else { return Ok(()) };
    for option in query.split('&') {
        let Some((name, path)) = option.split_once('=') else { continue };
        if !FILES.contains(&name) {
            continue;
        }
        let path = decoded(path);
        if let Err(e) = std::fs::File::open(&path) {
            return Err(StoreError::Setup(format!(
                "{name} of the database's address names the file {path}, which cannot be read \
                 ({e}): put the certificate there, or name another file"
            )));
        }
    }
    Ok(())
}

/// A text of a URL without its percent signs.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_other_clients_are_left_out() {
        for (url, expected) in [
            ("postgres://u:p@h/d", "postgres://u:p@h/d"),
            (
                "postgres://u:p@h/d?sslmode=require&channel_binding=require",
                "postgres://u:p@h/d?sslmode=require",
            ),
            ("postgres://u:p@h/d?sslpassword=sesame", "postgres://u:p@h/d"),
            (
                "postgres://u:p@h/d?options[search_path]=a&pass=sesame",
                "postgres://u:p@h/d?options[search_path]=a",
            ),
        ] {
            assert_eq!(with_known_options(url), expected);
        }
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let url = |path: &str| Secret::new(format!("postgres://u:sesame@h/d?sslrootcert={path}"));
        let error = parsed(&url("%2Fnowhere%2Fca.pem"), "x").unwrap_err().to_string();
        assert!(error.contains("/nowhere/ca.pem") && !error.contains("sesame"), "{error}");
        assert!(parsed(&url(file!().rsplit('/').next().unwrap()), "x").is_err());
        assert!(parsed(&url("/etc/passwd"), "x").is_ok());
    }

    #[test]
    fn a_password_of_any_character_and_a_socket_arrive() {
        let url = Secret::new("postgres://u:p%2F%23%3F%20%25@%2Frun%2Fpg:6/d%20e".to_owned());
        let options = parsed(&url, "x").unwrap();
        assert_eq!(options.get_socket().unwrap().to_str(), Some("/run/pg"));
        assert_eq!((options.get_port(), options.get_database()), (6, Some("d e")));
    }
}
