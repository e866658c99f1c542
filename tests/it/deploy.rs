//! What `deploy/`, the compose files and the image promise, as far as a machine without a cluster
//! can tell. Skipped where a program that checks is missing, and a line says so.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tests::{Folder, Said};

mod chart;
mod cluster;
mod compose;
mod context;

const NODES: [&str; 3] = ["nats", "nats-2", "nats-3"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn file(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[expect(clippy::print_stdout, reason = "why a test is left out is for people")]
fn skipped(what: &str, reason: &str) {
    println!("SKIPPED: {what}: {reason}");
}

#[test]
fn the_systemd_unit_is_one() {
    let version = Command::new("systemd-analyze").arg("--version").output();
    if let Err(e) = version {
        return skipped("the systemd unit", &format!("systemd-analyze cannot be started: {e}"));
    }
    let folder = Folder::new("systemd");
    let unit = folder.0.join("mangoes.service");
    // The program of the unit is not installed here.
    let text = file("deploy/systemd/mangoes.service");
    let installed = "ExecStart=/usr/local/bin/mangoes up\n";
    assert!(text.contains(installed), "{text}");
    fs::write(&unit, text.replace(installed, "ExecStart=/bin/sh up\n")).unwrap();
    let said = Said::by(Command::new("systemd-analyze").arg("verify").arg(&unit));
    assert!(said.succeeded() && said.text.is_empty(), "{}", said.text);
}

/// What the image says of the crates in it.
#[test]
fn the_image_names_every_crate_with_its_licence() {
    let folder = Folder::new("third-party");
    let cargo = Path::new(env!("CARGO")).parent().unwrap().display().to_string();
    let path = format!("{cargo}:{}", std::env::var("PATH").unwrap());
    let mut script = Command::new("sh");
    script.arg("docker/third-party").arg(&folder.0).current_dir(root());
    let said = Said::by(script.env("PATH", path).env("CARGO_NET_OFFLINE", "true"));
    assert!(said.succeeded(), "{}", said.text);

    let sbom: Value = serde_json::from_str(&folder.read("sbom.cdx.json")).unwrap();
    assert_eq!(sbom["metadata"]["component"]["version"], env!("CARGO_PKG_VERSION"));
    let notice = folder.read("THIRD-PARTY.txt");
    let components = sbom["components"].as_array().unwrap();
    let text = |component: &Value, key| component[key].as_str().unwrap().to_owned();
    let names: BTreeSet<String> = components.iter().map(|c| text(c, "name")).collect();
    for name in ["async-nats", "ractor", "ring", "sqlx", "tokio"] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    for name in ["bus", "mangoes", "criterion"] {
        assert!(!names.contains(name), "{name} is no crate of others in the program");
    }
    for component in components {
        let hash = component["hashes"][0]["content"].as_str().unwrap();
        let licence = component["licenses"][0]["expression"].as_str().unwrap();
        assert!(hash.len() == 64 && !licence.is_empty(), "{component}");
        let line = format!("{} {}: {licence}", text(component, "name"), text(component, "version"));
        assert!(notice.contains(&line), "{line}");
    }
    for words in ["Permission is hereby granted", "Redistribution and use", "Apache License"] {
        assert!(notice.contains(words), "{words}");
    }
}
