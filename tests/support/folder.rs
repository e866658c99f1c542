//! Private folders of tests.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long the servers of a killed process may take to end.
const SERVERS_END_WITHIN: Duration = Duration::from_secs(10);

/// A folder that goes with its test.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// Empty, in the system's temporary folder.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mangoes-it-{}-{name}", std::process::id()));
        // Nothing may be there.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// What a file in it holds; empty when it is not there.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }

    /// Takes the folder out; what is left behind has nothing to remove.
    pub(crate) fn take(&mut self) -> Self {
        Self(std::mem::replace(&mut self.0, PathBuf::from("/nonexistent")))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Where root's temporary folder is closed to others, the servers' data stands elsewhere.
        if let Ok(elsewhere) = std::fs::read_to_string(self.0.join("servers-are-in")) {
            // It may have gone with its servers.
            let _ = std::fs::remove_dir_all(elsewhere.trim());
        }
        // A server whose parent was killed gets a signal, and writes into its folder until it has
        // ended: a file may stand there again.
        let begun = Instant::now();
        while self.0.exists() && begun.elapsed() < SERVERS_END_WITHIN {
            let _ = std::fs::remove_dir_all(&self.0);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
