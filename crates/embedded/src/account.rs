//! The user that runs the servers: the caller, or an unprivileged user when the caller is root,
//! because Postgres refuses to run as root.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, fchown},
    path::Path,
};

use crate::error::EmbeddedError;

/// Users the servers may run as when mangoes runs as root, the best first.
const USERS: [&str; 2] = ["postgres", "nobody"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ids {
    uid: u32,
    gid: u32,
}

/// The user that the servers run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    /// User and group to change to; `None` keeps the caller's.
    change_to: Option<Ids>,
}

impl Account {
    /// The caller, unless that is root.
    pub(crate) fn choose() -> Result<Self, EmbeddedError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self { change_to: None });
        }
        let users = fs::read_to_string("/etc/passwd")
            .map_err(EmbeddedError::file("read", "/etc/passwd"))?;
        let ids =
            USERS.iter().find_map(|name| lookup(&users, name)).ok_or(EmbeddedError::NoAccount)?;
        Ok(Self { change_to: Some(ids) })
    }

    /// User id of the servers.
    pub(crate) fn uid(self) -> u32 {
        self.change_to.map_or_else(|| rustix::process::geteuid().as_raw(), |ids| ids.uid)
    }

    /// Makes `command` run as this user, without the caller's supplementary groups.
    pub(crate) fn apply(self, command: &mut std::process::Command) {
        use std::os::unix::process::CommandExt;
        if let Some(ids) = self.change_to {
            command.uid(ids.uid).gid(ids.gid);
        }
    }

    /// Creates `dir` for this user alone; a directory that exists is only handed over.
    pub(crate) fn own_dir(self, dir: &Path) -> Result<(), EmbeddedError> {
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => self.own(dir),
        }
        .map_err(EmbeddedError::file("create", dir))
    }

    /// Hands a file or folder over to this user.
    pub(crate) fn own(self, path: &Path) -> io::Result<()> {
        self.change_to.map_or(Ok(()), |ids| chown(path, Some(ids.uid), Some(ids.gid)))
    }

    /// Lets the servers pass through a folder: their group alone where the folder belongs to root's
    /// group, otherwise everybody, because its group has another use then. The files and folders in
    /// it keep their modes.
    pub(crate) fn let_in(self, dir: &Path) -> io::Result<()> {
        let Some(ids) = self.change_to.filter(|_| !self.may_pass(dir)) else { return Ok(()) };
        let there = fs::metadata(dir)?;
        let is_free = there.gid() == 0 || there.gid() == ids.gid;
        if is_free {
            chown(dir, None, Some(ids.gid))?;
        }
        let right = if is_free { 0o010 } else { 0o001 };
        fs::set_permissions(dir, PermissionsExt::from_mode(there.mode() & 0o7777 | right))
    }

    /// Hands an open file over to this user.
    pub(crate) fn own_file(self, file: &fs::File) -> io::Result<()> {
        self.change_to.map_or(Ok(()), |ids| fchown(file, Some(ids.uid), Some(ids.gid)))
    }

    /// Whether this user may pass through `dir` and everything above it. Access control lists are
    /// not looked at.
    pub(crate) fn reaches(self, dir: &Path) -> bool {
        dir.ancestors().filter(|part| *part != OsStr::new("")).all(|part| self.may_pass(part))
    }

    /// Whether this user may pass through `dir` itself, or run it when it is a program.
    pub(crate) fn may_pass(self, dir: &Path) -> bool {
        let Some(ids) = self.change_to else { return true };
        fs::metadata(dir).is_ok_and(|meta| {
            let shift = if meta.uid() == ids.uid {
                6
            } else if meta.gid() == ids.gid {
                3
            } else {
                0
            };
            (meta.mode() >> shift) & 0o1 == 1
        })
    }
}

/// User and group id of `name` in the text of a passwd file.
fn lookup(passwd: &str, name: &str) -> Option<Ids> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        Some(Ids { uid, gid: fields.next()?.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_ids_up() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nnobody:x:65534:65533::/:/bin/false\n";
        assert_eq!(lookup(passwd, "nobody"), Some(Ids { uid: 65534, gid: 65533 }));
        assert_eq!(lookup(passwd, "postgres"), None);
        assert_eq!(lookup(passwd, "broken"), None);
    }

    #[test]
    fn stays_out_of_private_folders() {
        let private = std::env::temp_dir().join(format!("mangoes-private-{}", std::process::id()));
        fs::create_dir(&private).unwrap();
        fs::set_permissions(&private, PermissionsExt::from_mode(0o700)).unwrap();
        let stranger = Account { change_to: Some(Ids { uid: 4_000_001, gid: 4_000_001 }) };
        assert!(!stranger.reaches(&private));
        assert!(stranger.reaches(Path::new("/usr")));
        assert!(Account { change_to: None }.reaches(&private));
        fs::remove_dir(&private).unwrap();
    }
}
