//! Deleting what may not be there.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
};

use crate::error::EmbeddedError;

/// Deletes a file that may not exist.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    unless_absent(fs::remove_file(path))
}

/// Deletes a folder that may not exist, with everything in it.
pub(crate) fn remove_dir(dir: &Path) -> Result<(), EmbeddedError> {
    unless_absent(fs::remove_dir_all(dir)).map_err(EmbeddedError::file("delete", dir))
}

fn unless_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
