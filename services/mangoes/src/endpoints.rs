//! The note that a running `mangoes up` leaves in its data directory: how the command line reaches
//! its servers. Readable by its user only; removed at the end.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use runtime::Config;
use serde::{Deserialize, Serialize};

/// How to reach a running `mangoes up`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Endpoints {
    /// Of the embedded server. One that was given stays its owner's secret.
    pub(crate) nats_url: Option<String>,
    /// As `nats_url`.
    pub(crate) database_url: Option<String>,
    /// The process that wrote this note.
    pub(crate) pid: u32,
    /// Base of the simulator's API, where one replaces TMDB.
    pub(crate) tmdb_sim_url: Option<String>,
    /// `host:port` of health checks and metrics.
    pub(crate) listen: Option<String>,
}

impl Endpoints {
    /// Of the `mangoes up` that runs with this data directory; `None`: none does.
    pub(crate) fn of_running(config: &Config) -> Result<Option<Self>> {
        let path = path_in(&config.data_dir);
        let Ok(bytes) = fs::read(&path) else { return Ok(None) };
        let endpoints = serde_json::from_slice(&bytes);
        endpoints.map(Some).with_context(|| format!("{} cannot be read", path.display()))
    }

    /// Leaves the note. Returns where.
    pub(crate) fn write(&self, data_dir: &Path) -> Result<PathBuf> {
        let path = path_in(data_dir);
        let advice = || {
            format!(
                "cannot write {}; set MANGOES_DATA_DIR to a folder that can be written",
                path.display()
            )
        };
        if !data_dir.exists() {
            let mut folder = fs::DirBuilder::new();
            folder.recursive(true).mode(0o700).create(data_dir).with_context(advice)?;
        }
        // By way of a second name, so that a reader finds all of it or nothing.
        let fresh = path.with_extension("new");
        // A process that was killed may have left one; usually there is none.
        let _ = fs::remove_file(&fresh);
        let mut options = fs::OpenOptions::new();
        let file = options.create_new(true).write(true).mode(0o600).open(&fresh);
        serde_json::to_writer(file.with_context(advice)?, self)?;
        fs::rename(&fresh, &path).with_context(advice)?;
        Ok(path)
    }

    /// Removes the note of this process; a later process may have left its own.
    pub(crate) fn remove(path: &Path) {
        let note = fs::read(path).ok();
        let note = note.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        if note.is_some_and(|note| note.pid == std::process::id())
            && let Err(error) = fs::remove_file(path)
        {
            tracing::debug!(%error, "endpoints.json cannot be removed");
        }
    }
}

fn path_in(data_dir: &Path) -> PathBuf {
    data_dir.join("endpoints.json")
}
