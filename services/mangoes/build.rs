//! The version with the commit that this program was built from, for `--version`.

use std::{env, process::Command};

fn main() {
    println!("cargo:rerun-if-env-changed=MANGOES_COMMIT");
    // A commit changes the version although no source changes. Where there is no such log, cargo
    // runs this each time, which costs nothing.
    let log =
        git(&["rev-parse", "--git-path", "logs/HEAD"]).unwrap_or_else(|| "build.rs".to_owned());
    println!("cargo:rerun-if-changed={log}");
    // An image is built without the history: whoever builds it says the commit.
    let named = env::var("MANGOES_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = named
        .or_else(|| git(&["rev-parse", "--short=12", "HEAD"]))
        .unwrap_or_else(|| "unknown commit".to_owned());
    println!(
        "cargo:rustc-env=MANGOES_VERSION={} ({commit})",
        env::var("CARGO_PKG_VERSION").unwrap_or_default()
    );
}

fn git(args: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned()).filter(|text| !text.is_empty())
}
