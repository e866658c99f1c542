//! Finds `nats-server` and `postgres`, and refuses versions that would misbehave.

use std::{
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use crate::error::EmbeddedError;

/// Older servers ignore settings of `nats/` without an error.
const NATS_NEEDED: &str = "2.14";
/// Since this version the owner of a database may create tables in it without a grant.
const POSTGRES_NEEDED: u32 = 15;

/// Folders to look in; the first that has a usable program wins.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    dirs: Vec<PathBuf>,
}

/// A Postgres installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostgresBin {
    /// The folder that holds `postgres` and `initdb`, links resolved.
    pub(crate) dir: PathBuf,
    /// Such as `15.14`.
    pub(crate) version: String,
}

impl Search {
    /// `PATH`, then the folder of `make setup`, then the usual folders of the system.
    pub(crate) fn usual(data_dir: &Path) -> Self {
        let mut dirs: Vec<PathBuf> =
            env::var_os("PATH").iter().flat_map(env::split_paths).collect();
        dirs.extend(std::path::absolute(data_dir.join("tools/bin")));
        if let Ok(here) = env::current_dir() {
            dirs.extend(
                here.ancestors()
                    .map(|dir| dir.join(".mangoes/tools/bin"))
                    .filter(|dir| is_ours(dir)),
            );
        }
        dirs.extend(debian_postgres());
        for prefix in ["/usr/local", "/opt/homebrew"] {
            dirs.push(Path::new(prefix).join("bin"));
            dirs.extend(
                (POSTGRES_NEEDED..=20)
                    .rev()
                    .map(|n| PathBuf::from(format!("{prefix}/opt/postgresql@{n}/bin"))),
            );
        }
        Self { dirs }
    }

    /// Looks only in `dirs`.
    #[cfg(test)]
    pub(crate) fn only(dirs: Vec<PathBuf>) -> Self {
        Self { dirs }
    }

    /// A `nats-server` that is new enough.
    pub(crate) fn nats(&self) -> Result<PathBuf, EmbeddedError> {
        let mut too_old = None;
        for path in self.programs("nats-server") {
            let found = version(&path);
            if numbers(&found) >= numbers(NATS_NEEDED) {
                return Ok(path);
            }
            too_old.get_or_insert(EmbeddedError::OldNats { path, found, needed: NATS_NEEDED });
        }
        Err(too_old.unwrap_or(EmbeddedError::NoNats(NATS_NEEDED)))
    }

    /// A Postgres that is new enough, and of the version that wrote `data`, if that holds a
    /// cluster.
    pub(crate) fn postgres(&self, data: &Path) -> Result<PostgresBin, EmbeddedError> {
        let written_by =
            fs::read_to_string(data.join("PG_VERSION")).ok().map(|text| text.trim().to_owned());
        let wanted: Option<u32> = written_by.as_deref().and_then(|major| major.parse().ok());
        let mut any = false;
        for path in self.programs("postgres") {
            let Some(dir) =
                path.canonicalize().ok().and_then(|real| Some(real.parent()?.to_owned()))
            else {
                continue;
            };
            let version = version(&path);
            let major = numbers(&version).0;
            if major < POSTGRES_NEEDED || !dir.join("initdb").exists() {
                continue;
            }
            if wanted.is_none_or(|wanted| wanted == major) {
                return Ok(PostgresBin { dir, version });
            }
            any = true;
        }
        match written_by {
            Some(needed) if any => {
                Err(EmbeddedError::OtherPostgres { dir: data.to_owned(), needed })
            }
            Some(_) | None => Err(EmbeddedError::NoPostgres(POSTGRES_NEEDED)),
        }
    }

    /// Every program called `name`, in order.
    pub(crate) fn programs(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        self.dirs.iter().map(move |dir| dir.join(name)).filter(|path| is_program(path))
    }
}

/// The folders of Debian's Postgres packages, the newest first.
fn debian_postgres() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut majors: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    majors.sort_unstable_by(|a, b| b.cmp(a));
    majors.into_iter().map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")))
}

/// The `nats-server` that [`crate::Nats`] starts, for a caller who starts one with other settings.
///
/// # Errors
/// When there is none that is new enough: see [`EmbeddedError`].
pub fn nats_server(data_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    Search::usual(data_dir).nats()
}

/// Whether `path` is a file that somebody may run.
fn is_program(path: &Path) -> bool {
    path.is_absolute()
        && fs::metadata(path)
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Whether `dir` belongs to this user or to root: folders above the current one may belong to
/// anybody.
fn is_ours(dir: &Path) -> bool {
    fs::metadata(dir)
        .is_ok_and(|meta| meta.uid() == 0 || meta.uid() == rustix::process::geteuid().as_raw())
}

/// The version `program --version` prints, or `unknown`.
fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").current_dir("/").output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    parse_version(&text)
}

/// The first word of `text` that begins with a digit, a leading `v` dropped.
fn parse_version(text: &str) -> String {
    let mut words = text.split_whitespace().map(|word| word.strip_prefix('v').unwrap_or(word));
    words
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or("unknown")
        .to_owned()
}

/// Major and minor number of a version; what is missing counts as 0.
fn numbers(version: &str) -> (u32, u32) {
    let mut parts =
        version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        let check = |text, expected| assert_eq!(numbers(&parse_version(text)), expected, "{text}");
        check("nats-server: v2.15.1", (2, 15));
        check("nats-server: v2.9.10\n", (2, 9));
        check("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", (15, 14));
        check("postgres (PostgreSQL) 18beta1", (18, 0));
        check("what?", (0, 0));
        assert!(numbers("2.9.10") < numbers(NATS_NEEDED));
    }
}
