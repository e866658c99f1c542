//! Which crate may depend on which, and the three walls.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::source::{none, root, rust, shown, text};

/// The floors of the house, from the ground up: a crate depends only on crates of lower floors.
const FLOORS: [&[&str]; 6] = [
    &["proto", "calendar", "runtime", "embedded", "tmdb-sim"],
    &["catalogue", "delivery"],
    &["bus", "store", "tmdb"],
    &[
        "ingest",
        "maintenance",
        "operator",
        "outbox",
        "refresh",
        "scheduler",
        "staleness-scanner",
        "webhook",
    ],
    &["mangoes"],
    &["bench", "search-index"],
];
const SERVICES: &[&str] = FLOORS[3];

/// The workspace's crates, each with what it depends on among them; `tests` may use all.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let asked = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&asked.stdout).unwrap();
    let packages: Vec<&Value> = metadata["packages"].as_array().unwrap().iter().collect();
    let name = |of: &Value| of["name"].as_str().unwrap().to_owned();
    let ours: BTreeSet<String> = packages.iter().map(|p| name(p)).collect();
    let inner = |p: &Value| -> BTreeSet<String> {
        let all = p["dependencies"].as_array().unwrap().iter();
        // What a crate's own tests use is not what it stands on.
        all.filter(|d| d["kind"].is_null()).map(name).filter(|d| ours.contains(d)).collect()
    };
    let graph = packages.iter().map(|p| (name(p), inner(p)));
    graph.filter(|(name, _)| name != "tests").collect()
}

#[test]
fn dependencies_point_down_and_no_service_depends_on_a_service() {
    let floor = |name: &str| FLOORS.iter().position(|floor| floor.contains(&name));
    let mut findings = Vec::new();
    for (name, dependencies) in graph() {
        let Some(own) = floor(&name) else {
            findings.push(format!("{name} has no floor: give it one in this file"));
            continue;
        };
        for dependency in dependencies {
            if floor(&dependency).is_none_or(|below| below >= own) {
                findings.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    none("a crate depends only on crates of lower floors", &findings);
}

#[test]
fn every_service_has_its_folder() {
    for service in SERVICES {
        assert!(root().join("services").join(service).is_dir(), "services/{service}");
    }
}

/// Files that name a crate which only one room may name.
///
/// The bench stands outside the house: it sends work as an application does, and its reference is
/// another program, with queries and an HTTP client of its own.
fn outside(room: &str, word: &str) -> Vec<String> {
    let names = |text: &str| {
        let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.any(|line| line.contains(word))
    };
    let files = rust(&["proto", "crates", "services"]).into_iter();
    let outside = files.filter(|file| !shown(file).starts_with(room) && names(&text(file)));
    outside.map(|file| shown(&file)).collect()
}

#[test]
fn only_bus_names_nats_only_store_sql_only_tmdb_http() {
    none("only bus names async_nats", &outside("crates/bus/", "async_nats::"));
    none("only store names sqlx", &outside("crates/store/", "sqlx::"));
    let http = outside("crates/tmdb/", "reqwest::");
    let http: Vec<_> = http.into_iter().filter(|at| !at.contains("services/webhook/")).collect();
    none("only tmdb and webhook name reqwest", &http);
}

#[test]
fn no_handler_settles_a_message() {
    none("only bus acks", &outside("crates/bus/src/consume/settle.rs", "AckKind"));
}

/// The image's label says the version; the Dockerfile cannot read it from Cargo.toml.
#[test]
fn the_image_has_the_version_of_the_workspace() {
    let dockerfile = text(&root().join("Dockerfile"));
    let version = format!("ARG VERSION={}", env!("CARGO_PKG_VERSION"));
    assert!(dockerfile.lines().any(|line| line == version), "the Dockerfile has no line {version}");
}
