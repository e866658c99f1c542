//! The forms of single values: whole numbers, countries, languages, addresses to listen on, modes
//! and schemas of Postgres.
//!
//! A function here that refuses a value says what the value is not and how to write it. The caller
//! adds the setting's name.

/// A whole number from 0 up.
pub(super) fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.trim().parse().map_err(|_| format!("'{text}' is not a whole number from 0 up"))
}

/// A language such as `en` or `en-US`, by its form; TMDB decides whether it exists.
pub(super) fn language(text: &str) -> Result<String, String> {
    let (language, country) = match text.split_once('-') {
        Some((language, country)) => (language, Some(country)),
        None => (text, None),
    };
    let is_language = language.len() == 2 && language.bytes().all(|b| b.is_ascii_lowercase());
    if is_language && country.is_none_or(is_country) {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is not a language: write it as en-US"))
}

/// A country such as `US`.
pub(super) fn country(text: &str) -> Result<String, String> {
    if is_country(text) {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is not a country: write it as US"))
}

/// Countries joined by commas, such as `US,CA`.
pub(super) fn countries(text: &str) -> Result<Vec<String>, String> {
    let countries: Vec<String> = text.split(',').map(|c| c.trim().to_owned()).collect();
    match countries.iter().find(|country| !is_country(country)) {
        Some(wrong) => Err(format!("'{wrong}' is not a country: write them as US,CA")),
        None => Ok(countries),
    }
}

/// ISO 3166-1, by its form; TMDB decides whether it exists.
fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
}

/// Longest token of a name at NATS.
const TOKEN_MAX: usize = 32;

/// A part of the names of streams and subjects at NATS.
pub(super) fn token(text: &str) -> Result<String, String> {
    let is_token = (1..=TOKEN_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_token {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is not 1 to {TOKEN_MAX} of a-z, A-Z, 0-9, _ and -"))
}

/// An address to listen on, `host:port`.
pub(super) fn listen(text: &str) -> Result<String, String> {
    if listen_parts(text).is_some() {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is not host:port: write it as 127.0.0.1:8080"))
}

/// Host and port of `host:port`.
#[must_use]
pub fn listen_parts(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain = !host.is_empty() && !host.contains([':', '/', '@', ' ']);
    (bracketed || plain).then_some((host, port.parse().ok()?))
}

/// What becomes of titles for adults: true where they come in.
pub(super) fn adult(text: &str) -> Result<bool, String> {
    match text {
        "include" => Ok(true),
        "exclude" => Ok(false),
        _ => Err(format!("'{text}' is unknown: use include or exclude")),
    }
}

/// The modes of libpq.
pub(super) fn ssl_mode(text: &str) -> Result<String, String> {
    let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
    if modes.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is unknown: use one of {}", modes.join(", ")))
}

/// The schema with the app's tables: a plain name, because it stands in the search path of every
/// session.
pub(super) fn app_schema(text: &str) -> Result<String, String> {
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !begins || !text.bytes().all(is_plain) || text.len() > 63 {
        return Err(format!(
            "'{text}' is not a schema's name: use lower-case letters, digits and _, at most 63"
        ));
    }
    if text == "mangoes" || text == "information_schema" || text.starts_with("pg_") {
        return Err(format!(
            "'{text}' is not a schema of the app: name the one that holds its table works"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn languages_and_countries_by_their_form() {
        for (text, good) in
            [("en", true), ("en-US", true), ("EN", false), ("en-us", false), ("english", false)]
        {
            assert_eq!(language(text).is_ok(), good, "{text}");
        }
        assert_eq!(countries("US, CA").unwrap(), ["US", "CA"]);
        assert!(countries("US;CA").is_err() && country("us").is_err());
    }

    #[test]
    fn schemas_of_the_app() {
        for (text, good) in [
            ("public", true),
            ("app_2", true),
            ("_x", true),
            ("App", false),
            ("a b", false),
            ("a\"; drop table works; --", false),
            ("", false),
            ("2a", false),
            ("mangoes", false),
            ("pg_catalog", false),
            ("information_schema", false),
        ] {
            assert_eq!(app_schema(text).is_ok(), good, "{text}");
        }
        assert!(app_schema(&"a".repeat(64)).is_err());
    }
}
