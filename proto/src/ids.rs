//! Newtypes whose range is part of the contract: a value that exists is valid.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Unexpected, Visitor},
};
use sha2::{Digest, Sha256};

/// Why a number is not the id of a movie.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a TMDB movie id: it must be a whole number from 1 to 2147483647")]
pub struct InvalidTmdbId(i64);

/// A movie's number at TMDB, 1 to 2,147,483,647. Written as a number; where people write it, a
/// string of digits is read as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(into = "i64")]
#[schemars(extend("minimum" = 1, "maximum" = 2_147_483_647))]
pub struct TmdbId(i64);

impl TmdbId {
    /// The number itself.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for TmdbId {
    type Error = InvalidTmdbId;

    fn try_from(id: i64) -> Result<Self, InvalidTmdbId> {
        if (1..=i64::from(i32::MAX)).contains(&id) { Ok(Self(id)) } else { Err(InvalidTmdbId(id)) }
    }
}

impl From<TmdbId> for i64 {
    fn from(id: TmdbId) -> Self {
        id.0
    }
}

impl<'de> Deserialize<'de> for TmdbId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TmdbIdVisitor)
    }
}

struct TmdbIdVisitor;

impl Visitor<'_> for TmdbIdVisitor {
    type Value = TmdbId;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a TMDB movie id, a whole number from 1 to 2147483647")
    }

    fn visit_i64<E: Error>(self, id: i64) -> Result<TmdbId, E> {
        TmdbId::try_from(id).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<TmdbId, E> {
        match i64::try_from(id) {
            Ok(id) => self.visit_i64(id),
            Err(_) => Err(E::invalid_value(Unexpected::Unsigned(id), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<TmdbId, E> {
        text.parse().map_err(E::custom)
    }
}

/// The schema of an id in a message that people write.
pub(crate) fn written_tmdb_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": 2_147_483_647},
            {"type": "string", "pattern": "^[0-9]+$"},
        ],
    })
}

impl std::str::FromStr for TmdbId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id: i64 = text.trim().parse().map_err(|_| {
            format!("'{text}' is not a TMDB movie id: give a whole number such as 603")
        })?;
        Self::try_from(id).map_err(|e| e.to_string())
    }
}

impl std::fmt::Display for TmdbId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The largest `max_movies`: 500 pages of 20 rows are all that TMDB gives of a list.
pub const MAX_MOVIES_LIMIT: i64 = 10_000;

/// How many new titles a list may bring, 1 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "i64", into = "i64")]
#[schemars(extend("minimum" = 1, "maximum" = MAX_MOVIES_LIMIT))]
pub struct MaxMovies(i64);

impl MaxMovies {
    /// The number itself.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for MaxMovies {
    type Error = String;

    fn try_from(n: i64) -> Result<Self, String> {
        if (1..=MAX_MOVIES_LIMIT).contains(&n) {
            Ok(Self(n))
        } else {
            Err(format!("{n} is out of range: give 1 to {MAX_MOVIES_LIMIT}"))
        }
    }
}

impl From<MaxMovies> for i64 {
    fn from(n: MaxMovies) -> Self {
        n.0
    }
}

/// Longest `run_id`.
const RUN_ID_MAX_CHARS: usize = 200;
/// Longest name of a job.
const JOB_NAME_MAX_CHARS: usize = 64;

/// A text that exists only where it is valid: made by parsing, read like a `str`.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(try_from = "String", into = "String")]
        #[schemars(inline)]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                $check(&text).map(|()| Self(text))
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::ops::Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

text_id! {
    /// The id of a run: a key of tables and a header's value. 1 to 200 characters, none of them a
    /// control character.
    RunId, check_run_id
}

text_id! {
    /// The name of a job, a part of subjects: 1 to 64 of a-z, 0-9, `_` and `-`.
    JobName, check_job_name
}

impl RunId {
    /// The run of a list whose sender named none: after the list's message, so that a redelivery
    /// finds the same run. A key that is too long for a run's id stands as its SHA-256.
    #[must_use]
    pub fn of_list(key: &str) -> Self {
        let id = format!("list@{key}");
        Self::try_from(id).unwrap_or_else(|_| {
            let hash = Sha256::digest(key).iter().map(|b| format!("{b:02x}")).collect::<String>();
            Self(format!("list@sha256:{hash}"))
        })
    }
}

impl JobName {
    /// The job of a run that a person or an app asked for.
    #[must_use]
    pub fn manual() -> Self {
        Self("manual".to_owned())
    }
}

fn check_run_id(id: &str) -> Result<(), String> {
    let fits = (1..=RUN_ID_MAX_CHARS).contains(&id.chars().count());
    if fits && !id.chars().any(char::is_control) {
        return Ok(());
    }
    Err(format!(
        "run_id must have 1 to {RUN_ID_MAX_CHARS} characters, none of them a control character \
         such as a line break"
    ))
}

fn check_job_name(name: &str) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if (1..=JOB_NAME_MAX_CHARS).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(format!(
        "'{name}' is not a name for a job: use 1 to {JOB_NAME_MAX_CHARS} of a-z, 0-9, _ and -"
    ))
}

/// By what the inbox knows a message: its id, or stream, time and sequence where the sender gave
/// none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey(String);

impl MessageKey {
    /// A key that is known to fit the table: at most 500 bytes, without U+0000.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for MessageKey {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for MessageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_a_run_gets_one_that_is_valid() {
        assert_eq!(RunId::of_list("order-1").as_str(), "list@order-1");
        for key in ["x".repeat(500), "line\nbreak".to_owned()] {
            let id = RunId::of_list(&key);
            assert_eq!(RunId::try_from(id.to_string()), Ok(id.clone()));
            assert_ne!(id, RunId::of_list(&format!("{key}y")));
        }
    }

    #[test]
    fn ids_out_of_their_range_are_refused() {
        for wrong in ["", "a\u{1}b", &"x".repeat(201)] {
            assert!(wrong.parse::<RunId>().is_err_and(|e| e.contains("1 to 200")), "{wrong}");
        }
        for wrong in ["", "a.b", "A", "ä", &"x".repeat(65)] {
            assert!(wrong.parse::<JobName>().is_err_and(|e| e.contains("a-z")), "{wrong}");
        }
    }
}
