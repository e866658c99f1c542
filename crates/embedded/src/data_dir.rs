//! The data directory: makes it, locks it for one server, and moves a server's files out of a
//! folder that the server's user cannot enter.
//!
//! In it are `<server>.lock`, `<server>.log`, and the server's own folder. When mangoes runs as
//! root in a directory that is closed to other users, all but the lock are below [`ELSEWHERE`], and
//! a note in the data directory says where.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{account::Account, error::EmbeddedError, files, log::Log};

/// Parent of the server folders that cannot be in the data directory.
const ELSEWHERE: &str = "/var/lib/mangoes";
/// Name of the data directory where none is set.
const DEFAULT_NAME: &str = ".mangoes";
/// File in the data directory that names the folder below [`ELSEWHERE`].
const NOTE: &str = "servers-are-in";
/// A log longer than this is emptied at the next start.
const LOG_LIMIT_BYTES: u64 = 10 << 20;

/// The files of one server, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct ServerDir {
    /// Holds the server's folder, log and settings; absolute.
    path: PathBuf,
    /// The user that runs the server.
    pub(crate) account: Account,
    _lock: File,
}

impl ServerDir {
    /// Makes `data_dir` and locks it for `server`.
    pub(crate) fn take(data_dir: &Path, server: &str) -> Result<Self, EmbeddedError> {
        let account = Account::choose()?;
        let unwritable = |source| EmbeddedError::Unwritable { dir: data_dir.to_owned(), source };
        // The demo's folder is in the default one: its parent is ours, too.
        if let Some(parent) = data_dir
            .parent()
            .filter(|parent| parent.file_name().is_some_and(|name| name == DEFAULT_NAME))
        {
            make_private(parent).and_then(|()| account.let_in(parent)).map_err(unwritable)?;
        }
        make_private(data_dir).map_err(unwritable)?;
        let data_dir = data_dir.canonicalize().map_err(unwritable)?;
        let lock = lock(&data_dir, &format!("{server}.lock"))?;
        let path = match data_dir.parent() {
            Some(parent) if !account.reaches(parent) || data_dir.join(NOTE).exists() => {
                elsewhere(&data_dir)?
            }
            Some(_) | None => data_dir,
        };
        account.let_in(&path).map_err(EmbeddedError::file("open up", &path))?;
        Ok(Self { path, account, _lock: lock })
    }

    /// Path of a file or folder of the server.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file that only the server's user and we can read; it replaces an earlier one.
    pub(crate) fn write_private(&self, name: &str, text: &str) -> Result<(), EmbeddedError> {
        let path = self.join(name);
        self.replace(&path, &self.join(&format!("{name}.new")), text)
            .map_err(EmbeddedError::file("write", &path))
    }

    fn replace(&self, path: &Path, fresh: &Path, text: &str) -> io::Result<()> {
        files::remove_file(fresh)?;
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(fresh)?;
        // By the open file: its name may be another user's link by now.
        self.account.own_file(&file)?;
        file.write_all(text.as_bytes())?;
        fs::rename(fresh, path)
    }

    /// Opens the log `name` for appending.
    pub(crate) fn open_log(&self, name: &str) -> Result<Log, EmbeddedError> {
        let path = self.join(name);
        let failed = || EmbeddedError::file("write", &path);
        let mut options = OpenOptions::new();
        options
            .create(true)
            .append(true)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(&path).map_err(failed())?;
        let mut start = file.metadata().map_err(failed())?.len();
        if start > LOG_LIMIT_BYTES {
            file.set_len(0).map_err(failed())?;
            start = 0;
        }
        Ok(Log { file, start, path })
    }
}

/// Deletes a data directory with everything that its servers kept, here and elsewhere.
///
/// # Errors
/// When a file cannot be deleted.
pub fn remove_data(data_dir: &Path) -> Result<(), EmbeddedError> {
    if let Ok(elsewhere) = fs::read_to_string(data_dir.join(NOTE)) {
        let elsewhere = Path::new(elsewhere.trim());
        if elsewhere.starts_with(ELSEWHERE) {
            files::remove_dir(elsewhere)?;
        }
    }
    files::remove_dir(data_dir)
}

/// Takes the lock file `name`; the system frees it when this process ends, however it ends.
fn lock(data_dir: &Path, name: &str) -> Result<File, EmbeddedError> {
    let unwritable = |source| EmbeddedError::Unwritable { dir: data_dir.to_owned(), source };
    let open = OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(data_dir.join(name));
    let mut file = open.map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)
                .and_then(|()| writeln!(file, "{}", std::process::id()))
                .map_err(unwritable)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.read_to_string(&mut text);
            let known = read.is_ok() && !text.trim().is_empty();
            let pid = if known { text.trim() } else { "unknown" }.to_owned();
            Err(EmbeddedError::InUse { dir: data_dir.to_owned(), pid })
        }
        Err(TryLockError::Error(source)) => Err(unwritable(source)),
    }
}

/// The folder below [`ELSEWHERE`] that belongs to `data_dir`.
///
/// Without the note the data directory is new, or was deleted: what an earlier one left there is
/// renamed.
fn elsewhere(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    let dir = Path::new(ELSEWHERE).join(hash(data_dir));
    let note = data_dir.join(NOTE);
    // Both servers may come here at the same moment; only one may rename the old folder.
    let guard = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(data_dir.join("place.lock"));
    let guard = guard.map_err(EmbeddedError::file("write", data_dir))?;
    guard.lock().map_err(EmbeddedError::file("lock", data_dir))?;
    if !note.exists() && dir.exists() {
        let old = dir.with_extension("old");
        files::remove_dir(&old)?;
        fs::rename(&dir, &old).map_err(EmbeddedError::file("rename", &dir))?;
    }
    make_private(&dir).map_err(EmbeddedError::file("create", &dir))?;
    fs::write(&note, format!("{}\n", dir.display()))
        .map_err(EmbeddedError::file("write", &note))?;
    Ok(dir)
}

/// Makes a data directory that only its owner may enter. One that exists keeps its mode, because it
/// may be used for other things as well, unless its name is [`DEFAULT_NAME`].
fn make_private(dir: &Path) -> io::Result<()> {
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
    }
    let there = fs::symlink_metadata(dir)?;
    // A link of that name leads to a folder of somebody else.
    if dir.file_name().is_none_or(|name| name != DEFAULT_NAME) || there.is_symlink() {
        return Ok(());
    }
    // The group's right to pass is what `Account::let_in` gave.
    fs::set_permissions(dir, fs::Permissions::from_mode(there.permissions().mode() & 0o710))
}

/// A short stable name for a path: FNV-1a, 64 bits.
fn hash(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", path.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_fnv1a() {
        assert_eq!(hash(Path::new("a")), "af63dc4c8601ec8c");
    }
}
