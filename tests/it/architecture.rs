//! The walls between the rooms.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "target" {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn only(room: &str, word: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for folder in ["proto", "crates", "services"] {
        sources(&root.join(folder), &mut files);
    }
    assert!(files.len() > 40, "the walk found too little");
    for file in files {
        let inside = file.strip_prefix(&root).unwrap().to_string_lossy().contains(room);
        let text = std::fs::read_to_string(&file).unwrap();
        let named = text.lines().any(|l| !l.trim_start().starts_with("//") && l.contains(word));
        assert!(inside || !named, "{} names {word}, which only {room} may", file.display());
    }
}

#[test]
fn only_bus_names_nats_only_store_sql_only_tmdb_http() {
    only("crates/bus", "async_nats::");
    only("crates/store", "sqlx::");
    only("crates/tmdb/", "reqwest::");
}

#[test]
fn no_handler_settles_a_message() {
    only("crates/bus", "AckKind");
}

/// The image's label says the version; the Dockerfile cannot read it from Cargo.toml.
#[test]
fn the_image_has_the_version_of_the_workspace() {
    let dockerfile =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Dockerfile"))
            .unwrap();
    let version = format!("ARG VERSION={}", env!("CARGO_PKG_VERSION"));
    assert!(dockerfile.lines().any(|line| line == version), "the Dockerfile has no line {version}");
}
