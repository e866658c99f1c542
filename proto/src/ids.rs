//! Newtypes whose range is part of the contract: a value that exists is valid.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Why a number is no movie id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no TMDB movie id: it must be a whole number from 1 to 2147483647")]
pub struct InvalidTmdbId(i64);

/// A movie's number at TMDB, 1 to 2,147,483,647.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "i64", into = "i64")]
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

impl std::str::FromStr for TmdbId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id: i64 = text.trim().parse().map_err(|_| {
            format!("'{text}' is no TMDB movie id: give a whole number such as 603")
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

/// How many new titles a list may bring, 1 to [`MAX_MOVIES_LIMIT`].
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

/// A `run_id` that a table can be keyed by and a header can hold.
pub(crate) fn run_id<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(input)? {
        Some(id) if !is_run_id(&id) => {
            Err(serde::de::Error::custom(format!("{}; or leave it out", run_id_wanted())))
        }
        id => Ok(id),
    }
}

/// The same where it has to be there.
pub(crate) fn own_run_id<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    let id = String::deserialize(input)?;
    if is_run_id(&id) { Ok(id) } else { Err(serde::de::Error::custom(run_id_wanted())) }
}

fn run_id_wanted() -> String {
    format!(
        "run_id must have 1 to {RUN_ID_MAX_CHARS} characters, none of them a control character such as a line break"
    )
}

fn is_run_id(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= RUN_ID_MAX_CHARS && !id.chars().any(char::is_control)
}

/// Whether this may name a job; the name becomes a part of subjects.
///
/// # Errors
/// What a name has to be.
pub fn check_job_name(name: &str) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    match (1..=JOB_NAME_MAX_CHARS).contains(&name.len()) && name.bytes().all(fits) {
        true => Ok(()),
        false => Err(format!(
            "'{name}' is no name for a job: use 1 to {JOB_NAME_MAX_CHARS} of a-z, 0-9, _ and -"
        )),
    }
}

pub(crate) fn job_name<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    let name = String::deserialize(input)?;
    check_job_name(&name).map_err(serde::de::Error::custom)?;
    Ok(name)
}
