//! The official AsyncAPI parser, an npm package, accepts `asyncapi.json`.
//!
//! `asyncapi-check/` holds the script and the lock file with every version. Skipped, with the
//! reason on stderr, where Node.js or npm is missing or where the packages cannot be fetched.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

const FILES: [&str; 4] = [".npmrc", "package.json", "package-lock.json", "check.mjs"];

/// With an empty cache and a fast network it takes ten seconds.
const INSTALL_LIMIT: Duration = Duration::from_secs(45);

/// A node_modules folder of our own below the target folder; removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Self {
        let name = format!("asyncapi-check-{}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        for file in FILES {
            fs::copy(repository("asyncapi-check").join(file), folder.join(file)).unwrap();
        }
        Self(folder)
    }

    /// Installs what the lock file names; an error is a reason to skip.
    fn install(&self) -> Result<(), String> {
        let mut npm = Command::new("npm")
            .args(["ci", "--prefer-offline", "--fetch-retries=1", "--loglevel=error", "--json"])
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("npm cannot be started: {e}"))?;
        let end = Instant::now() + INSTALL_LIMIT;
        while npm.try_wait().unwrap().is_none() {
            if Instant::now() > end {
                npm.kill().unwrap();
                npm.wait().unwrap();
                return Err(format!("npm ci took longer than {INSTALL_LIMIT:?}"));
            }
            thread::sleep(Duration::from_millis(50));
        }
        installed(&npm.wait_with_output().unwrap())
    }

    /// Whether the parser accepts a document, and what it says.
    fn check(&self, document: &Value) -> (bool, String) {
        fs::write(self.0.join("document.json"), document.to_string()).unwrap();
        let mut node = Command::new("node");
        node.args(["check.mjs", "document.json"]).current_dir(&self.0);
        let output = node.output().unwrap();
        let (stdout, stderr) = texts(&output);
        (output.status.success(), stdout + &stderr)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind lies below the target folder and harms nobody.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn json_file(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(repository(name)).unwrap()).unwrap()
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// A wrong lock file is our fault; every other failure means that npm cannot reach the packages.
fn installed(output: &Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    let (stdout, stderr) = texts(output);
    let report: Value = serde_json::from_str(&stdout).unwrap_or_default();
    let word = |pointer| report.pointer(pointer).and_then(Value::as_str).unwrap_or("unknown");
    let (code, summary) = (word("/error/code"), word("/error/summary"));
    let ours = ["EUSAGE", "EINTEGRITY", "EJSONPARSE"].contains(&code);
    assert!(!ours, "package-lock.json of proto/asyncapi-check is wrong: {code}\n{stdout}{stderr}");
    Err(format!("npm ci cannot fetch the packages: {code}, {summary}"))
}

fn node_is_there() -> Result<(), String> {
    let new_enough = "process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)";
    match Command::new("node").args(["--eval", new_enough]).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("node is older than version 18".to_owned()),
        Err(e) => Err(format!("node cannot be started: {e}")),
    }
}

#[test]
fn the_official_parser_accepts_the_document_and_refuses_a_broken_one() {
    let folder = Folder::create();
    if let Err(reason) = node_is_there().and_then(|()| folder.install()) {
        // Not by eprintln, which the test runner keeps to itself when a test passes.
        writeln!(std::io::stderr(), "SKIPPED: the official AsyncAPI parser: {reason}").unwrap();
        return;
    }
    let mut document = json_file("asyncapi.json");
    let (accepted, said) = folder.check(&document);
    assert!(accepted && said.contains("0 errors, 0 warnings"), "{said}");

    let payload = document.pointer_mut("/components/messages/movies_stale/payload").unwrap();
    *payload = json!({"$ref": "#/components/schemas/Missing"});
    let (accepted, said) = folder.check(&document);
    assert!(!accepted && said.contains("Error invalid-ref"), "{said}");
}

/// The lock file must serve everybody: no host in it, and a hash for every package.
#[test]
fn the_lock_file_names_hashes_and_no_host() {
    let lock = json_file("asyncapi-check/package-lock.json");
    for (name, package) in lock["packages"].as_object().unwrap() {
        assert_eq!(package.get("resolved"), None, "{name}");
        assert!(name.is_empty() || package["integrity"].is_string(), "{name}");
    }
}

#[test]
fn the_lock_file_is_that_of_the_package() {
    let lock = json_file("asyncapi-check/package-lock.json");
    let package = json_file("asyncapi-check/package.json");
    assert_eq!(lock["packages"][""]["dependencies"], package["dependencies"]);
    let parser = &lock["packages"]["node_modules/@asyncapi/parser"];
    assert_eq!(parser["version"], package["dependencies"]["@asyncapi/parser"]);
}
