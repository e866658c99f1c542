//! What can go wrong with the database, and its fate.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use delivery::{Classify, Fate};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// How long work waits before it asks an unavailable database again.
const PAUSE: Duration = Duration::from_secs(1);
/// As long where a person has to do something, as to give a right back: meanwhile each attempt asks
/// TMDB for nothing.
const PAUSE_FOR_A_PERSON: Duration = Duration::from_secs(30);
/// As long where another transaction was in the way, several times.
const PAUSE_OF_A_CONFLICT: Duration = Duration::from_millis(200);
/// SQLSTATE of a right that is missing.
const NO_RIGHT: &str = "42501";

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Outage {
    /// It cannot be reached, is restarting, or cannot write: full, read-only, a grant is missing.
    #[error("{}", words(.0))]
    Sql(sqlx::Error),
    /// Its password was changed, or its rules for who may connect.
    #[error(
        "it refuses this user: was the password changed? Set the new one in DATABASE_URL or \
         PGPASSWORD and restart, or name a file in PGPASSWORD_FILE, which is read again ({})",
        words(.0)
    )]
    Login(sqlx::Error),
    #[error("it did not answer within {} s", .0.as_secs())]
    NoAnswer(Duration),
    /// The batch that the work was part of met the outage.
    #[error("a batch of movies was not stored")]
    Batch(#[source] Arc<Outage>),
    /// What asked the database for many at once is gone; a fault of ours.
    #[error("the batch that this was part of stopped unexpectedly")]
    BatchStopped,
    /// A row that is there could not be written.
    #[error(
        "table {0} hides rows from this role by row security: log in as the owner of the table, \
         or as a role with BYPASSRLS, or see migrations/roles.sql"
    )]
    NotWritable(&'static str),
    /// The actor that stores movies is about to be restarted.
    #[error("the writer is not running")]
    WriterRestarts,
}

/// The kind of thing that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    Job,
    Run,
    Movie,
}

impl std::fmt::Display for Noun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Job => "job",
            Self::Run => "run",
            Self::Movie => "movie",
        })
    }
}

/// Why the database did not do it: an outage, a fault of the data or of ours, or the refusal of
/// what a person asked for (`Unknown`, `Refused`, `Repeated`).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The work is not at fault.
    #[error("the database cannot be used")]
    Unavailable(#[source] Outage),
    /// Another transaction was in the way; repeating helps.
    #[error("the database was busy: {}", words(.0))]
    Conflict(sqlx::Error),
    /// It refused the data of this row.
    #[error("the database refused the data: {}", words(.0))]
    Data(sqlx::Error),
    /// A row holds a word that this version does not know.
    #[error("row {key} of table {table} has an unreadable {column}: {problem}")]
    Row { table: &'static str, column: &'static str, key: String, problem: String },
    /// Connecting or migrating failed; the sentence says what to do.
    #[error("{0}")]
    Setup(String),
    #[error("there is no {what} {name}")]
    Unknown { what: Noun, name: String },
    /// It cannot be done now; the sentence says why.
    #[error("{0}")]
    Refused(String),
    /// A request with this id was answered before.
    #[error("this request was answered before")]
    Repeated(serde_json::Value),
    /// A fault of ours or of the schema.
    #[error("the database failed: {}", words(.0))]
    Other(sqlx::Error),
}

impl Outage {
    /// How long work waits before it asks again.
    fn pause(&self) -> Duration {
        match self {
            Self::NotWritable(_) => PAUSE_FOR_A_PERSON,
            Self::Sql(error) if code_of(error).as_deref() == Some(NO_RIGHT) => PAUSE_FOR_A_PERSON,
            Self::Batch(outage) => outage.pause(),
            Self::Sql(_)
            | Self::Login(_)
            | Self::NoAnswer(_)
            | Self::BatchStopped
            | Self::WriterRestarts => PAUSE,
        }
    }
}

/// What an error of the database says to people: its own sentence, without where in its source it
/// was raised.
pub(super) fn words(error: &sqlx::Error) -> String {
    if let Some(answer) = error.as_database_error() {
        return answer.message().to_owned();
    }
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return "it gave no connection in time: does it run, and are all connections in use?"
            .to_owned();
    }
    runtime::chain(error)
}

impl StoreError {
    /// The error of a function of the database that looks up a job or run by its name: such a
    /// function raises `no_data_found` where there is none.
    pub(crate) fn of_lookup(what: Noun, name: &str, error: sqlx::Error) -> Self {
        if code_of(&error).as_deref() == Some("P0002") {
            return Self::Unknown { what, name: name.to_owned() };
        }
        error.into()
    }
}

fn code_of(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.to_string())
}

/// The sentence that a function of the database raised.
fn sentence_of(error: &sqlx::Error) -> String {
    error.as_database_error().map(|e| e.message().to_owned()).unwrap_or_default()
}

/// The server is unwell, restarts, is full or only read, gives no connection, or lacks a grant.
/// 25P03 and 25P04: this process was too slow in a transaction, and the server did not wait for it.
const OUTAGES: [&str; 8] = ["3D000", "53", "57", "58", "XX", "25P03", "25P04", "42501"];
/// The session is of no more use, and another one may be. What it had prepared is not what it was:
/// its tables were changed (0A000), or a pooler gave it to others (26000, 42P05). Or its server is
/// not the one that writes any more (25006 after a failover), or does not understand it (08).
const SESSION_ENDS: [&str; 5] = ["0A000", "26000", "42P05", "25006", "08"];
/// Another transaction was in the way.
const CONFLICTS: [&str; 2] = ["40", "55"];
/// The data does not fit.
const DATA: [&str; 3] = ["22", "23", "54"];

impl From<sqlx::Error> for StoreError {
    /// By the classes of SQLSTATE, appendix A of the manual of Postgres.
    fn from(error: sqlx::Error) -> Self {
        let Some(code) = code_of(&error) else { return without_code(error) };
        if ends_its_session(&error) && !code.starts_with("28") {
            return Self::Unavailable(Outage::Sql(error));
        }
        let is_of = |classes: &[&str]| classes.iter().any(|class| code.starts_with(class));
        if is_of(&["28"]) {
            Self::Unavailable(Outage::Login(error))
        } else if is_of(&SESSION_ENDS) {
            leave_sessions();
            Self::Unavailable(Outage::Sql(error))
        } else if is_of(&OUTAGES) {
            Self::Unavailable(Outage::Sql(error))
        } else if is_of(&CONFLICTS) {
            Self::Conflict(error)
        } else if is_of(&DATA) {
            Self::Data(error)
        } else if code == "P0001" {
            Self::Refused(sentence_of(&error))
        } else {
            Self::Other(error)
        }
    }
}

/// Whether the server, or a pooler, ends the session with this answer: whatever it says then, it is
/// about the session. So is every refusal of a new one, while old ones may go on.
fn ends_its_session(error: &sqlx::Error) -> bool {
    let answer = error.as_database_error();
    answer
        .and_then(|e| e.try_downcast_ref::<PgDatabaseError>())
        .is_some_and(|answer| matches!(answer.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

/// Sessions that began before now are not used again. Not more often than [`LEAVE_EVERY`]: on a
/// server that takes nothing, new ones say the same.
fn leave_sessions() {
    let mut seen = USELESS_SINCE.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.is_none_or(|at| at.elapsed() >= LEAVE_EVERY) {
        *seen = Some(Instant::now());
    }
}

/// How often all sessions are left at most.
const LEAVE_EVERY: Duration = Duration::from_secs(2);
/// When a session last said that it is of no more use. All sessions that began before may be so,
/// of all stores of this process.
static USELESS_SINCE: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether a session of this age may be of no more use.
pub(super) fn may_be_useless(age: Duration) -> bool {
    let seen = *USELESS_SINCE.lock().unwrap_or_else(PoisonError::into_inner);
    seen.is_some_and(|at| age > at.elapsed())
}

fn without_code(error: sqlx::Error) -> StoreError {
    let is_outage = matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Tls(_)
            // A connection that breaks while it is being made gives no proper answer.
            | sqlx::Error::Protocol(_)
            // Only while connecting: a certificate or a key of the address.
            | sqlx::Error::Configuration(_)
            | sqlx::Error::WorkerCrashed
            // The answer to `begin` was that of another session.
            | sqlx::Error::BeginFailed
    );
    if is_outage { StoreError::Unavailable(Outage::Sql(error)) } else { StoreError::Other(error) }
}

impl Classify for StoreError {
    fn fate(&self) -> Fate {
        match self {
            Self::Unavailable(outage) => Fate::Wait { after: outage.pause() },
            Self::Conflict(_) => Fate::Wait { after: PAUSE_OF_A_CONFLICT },
            // A table that a migration makes, a row that another version wrote, a trigger of the
            // app's that refuses, a fault of ours: no message is proven to be at fault.
            Self::Row { .. } | Self::Setup(_) | Self::Other(_) | Self::Refused(_) => {
                Fate::WaitAlone { after: PAUSE_FOR_A_PERSON }
            }
            // The database names this row's data, or what the message names is not there.
            Self::Data(_) | Self::Unknown { .. } | Self::Repeated(_) => Fate::Retry { after: None },
        }
    }
}

impl From<StoreError> for delivery::LedgerError {
    fn from(error: StoreError) -> Self {
        Self(runtime::chain(&error))
    }
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, error::Error};

    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    /// An answer of the database with this SQLSTATE.
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Answer(&'static str);

    impl DatabaseError for Answer {
        fn message(&self) -> &str {
            "a sentence"
        }
        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }
        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }
        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }
        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }
        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    fn kind(error: sqlx::Error) -> &'static str {
        match StoreError::from(error) {
            StoreError::Unavailable(Outage::Login(_)) => "login",
            StoreError::Unavailable(_) => "outage",
            StoreError::Conflict(_) => "conflict",
            StoreError::Data(_) => "data",
            StoreError::Refused(_) => "refused",
            StoreError::Other(_) => "other",
            StoreError::Row { .. }
            | StoreError::Setup(_)
            | StoreError::Unknown { .. }
            | StoreError::Repeated(_) => "never of sqlx",
        }
    }

    #[test]
    fn what_each_code_means() {
        for (codes, expected) in [
            (&["28P01", "28000"][..], "login"),
            (&["08000", "08003", "08006", "08P01"], "outage"),
            (&["53100", "53200", "53300", "53400"], "outage"),
            (&["57014", "57P01", "57P02", "57P03", "57P05"], "outage"),
            (&["58000", "58030", "58P01", "XX000", "XX001", "XX002"], "outage"),
            (&["25006", "25P03", "25P04", "3D000", "42501"], "outage"),
            (&["0A000", "26000", "42P05"], "outage"),
            (&["40001", "40P01", "55P03", "55000"], "conflict"),
            (&["22001", "22P02", "23505", "23503", "54000"], "data"),
            (&["P0001"], "refused"),
            (&["42601", "42703", "42P01", "42883", "21000", "25P02", "P0002"], "other"),
        ] {
            for code in codes {
                assert_eq!(kind(sqlx::Error::Database(Box::new(Answer(code)))), expected, "{code}");
            }
        }
    }

    #[test]
    fn a_right_that_is_missing_is_waited_for_longer() {
        let of = |error: StoreError| {
            let Fate::Wait { after } = error.fate() else { panic!("{error} is no outage") };
            after.as_secs()
        };
        let code = |code| StoreError::from(sqlx::Error::Database(Box::new(Answer(code))));
        let batch = |outage| StoreError::Unavailable(Outage::Batch(Arc::new(outage)));
        for (error, expected) in [
            (code("42501"), 30),
            (StoreError::Unavailable(Outage::NotWritable("works")), 30),
            (batch(Outage::NotWritable("works")), 30),
            (code("57P01"), 1),
            (code("25006"), 1),
            (batch(Outage::WriterRestarts), 1),
        ] {
            let words = error.to_string();
            assert_eq!(of(error), expected, "{words}");
        }
    }

    #[test]
    fn an_error_is_said_once_in_the_words_of_the_database() {
        let error = |code| StoreError::from(sqlx::Error::Database(Box::new(Answer(code))));
        for (code, expected) in [
            ("42P01", "the database failed: a sentence"),
            ("23505", "the database refused the data: a sentence"),
            ("40001", "the database was busy: a sentence"),
            ("53100", "the database cannot be used: a sentence"),
        ] {
            assert_eq!(runtime::chain(&error(code)), expected);
        }
    }

    #[test]
    fn whatever_befalls_a_connection_is_an_outage() {
        for error in [
            sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()),
            sqlx::Error::Tls("no TLS".into()),
            sqlx::Error::Protocol("what?".to_owned()),
            sqlx::Error::Configuration("no key".into()),
            sqlx::Error::PoolTimedOut,
            sqlx::Error::PoolClosed,
            sqlx::Error::WorkerCrashed,
            sqlx::Error::BeginFailed,
        ] {
            assert_eq!(kind(error), "outage");
        }
        assert_eq!(kind(sqlx::Error::RowNotFound), "other");
    }

    #[test]
    fn sessions_from_before_a_failover_or_a_change_of_tables_are_not_used_again() {
        for code in ["0A000", "25006", "08P01"] {
            *USELESS_SINCE.lock().unwrap() = None;
            kind(sqlx::Error::Database(Box::new(Answer(code))));
            assert!(may_be_useless(Duration::from_secs(60)), "{code}: it began before");
            assert!(!may_be_useless(Duration::ZERO), "{code}: it begins now");
        }
    }
}
