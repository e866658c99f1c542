//! The bench's folder, which goes with it.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::output::note;

/// How long servers that were only signalled may take to end.
const SERVERS_END_WITHIN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// A folder for servers' data and logs; it is removed when dropped, unless it is to be kept.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) keep: bool,
}

impl Folder {
    /// Where the servers keep their data.
    pub(crate) fn servers(&self) -> PathBuf {
        self.path.join("servers")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            note(&format!("the servers' data and all logs are in {}", self.path.display()));
            return;
        }
        // A server that still ends may write a file again.
        let begun = Instant::now();
        while self.path.exists() && begun.elapsed() < SERVERS_END_WITHIN {
            let removed = embedded::remove_data(&self.servers()).is_ok()
                && std::fs::remove_dir_all(&self.path).is_ok();
            if !removed {
                std::thread::sleep(POLL);
            }
        }
    }
}
