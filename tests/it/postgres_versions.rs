//! The main job on each version of Postgres that can be had: `scripts/postgres-versions` fetches
//! what the system does not have. A version that is missing is skipped, and a line says so.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use tests::{Folder, World};

const VERSIONS: [u32; 4] = [15, 16, 17, 18];

/// The one that every machine with the tests has: it is never skipped.
const OLDEST: u32 = 15;

/// Folders of `postgres` and `initdb`, by major version: of the system, of the folder that
/// `MANGOES_POSTGRES_VERSIONS` names, of `.mangoes/tools`.
fn found() -> BTreeMap<u32, PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let named = std::env::var_os("MANGOES_POSTGRES_VERSIONS").map(PathBuf::from);
    let tools = named.unwrap_or_else(|| root.join(".mangoes/tools"));
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().join("bin")).collect()
    };
    let all = below(Path::new("/usr/lib/postgresql")).into_iter().chain(below(&tools));
    all.filter_map(|bin| Some((major(&bin)?, bin))).collect()
}

/// `None`: there is no server that starts.
fn major(bin: &Path) -> Option<u32> {
    let said = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let version =
        said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_numeric()))?;
    version.split(|c: char| !c.is_numeric()).next()?.parse().ok()
}

/// Where the server's user can run it: `.mangoes` is closed to others.
fn reachable(folder: &Folder, bin: &Path) -> PathBuf {
    if bin.starts_with("/usr/lib/postgresql") {
        return bin.to_owned();
    }
    let copy = folder.0.join("version");
    let done = Command::new("cp").arg("-a").arg(bin.parent().unwrap()).arg(&copy).status().unwrap();
    assert!(done.success());
    copy.join("bin")
}

/// Migrate, a daily ingest, a refresh. Returns a line about what was done.
async fn works_on(version: u32) -> String {
    let Some(bin) = found().remove(&version) else {
        assert_ne!(version, OLDEST, "Postgres {version} is missing: scripts/setup installs it");
        return format!(
            "SKIPPED: Postgres {version} is not here; scripts/postgres-versions fetches it"
        );
    };
    let server = Folder::new(&format!("postgres-{version}-program"));
    let bin = reachable(&server, &bin).display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    let folder = Folder::new(&format!("postgres-{version}"));
    let world =
        World::run_up(folder, &["up", "--demo"], &[("PATH", &path), ("TMDB_RATE", "0")]).await;
    assert_eq!(world.server_version().await, i64::from(version));
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    assert_eq!(world.movies().complete().await, 30);
    world.age_all(100).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    assert_eq!(world.movies().stale().await, 0);
    world.all_published().await;
    assert_eq!(world.dead_letters().await, 0);
    format!("Postgres {version} works: {bin}")
}

#[tokio::test]
async fn the_main_job_on_every_version() {
    for version in VERSIONS {
        println!("{}", works_on(version).await);
    }
}
