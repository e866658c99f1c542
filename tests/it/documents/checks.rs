//! What the words of a command tell without running it: targets of make, options of the program,
//! packages, services of compose, files. Each has to be there.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::Value;
use tests::{Folder, Said, mangoes};

use super::commands::words;
use crate::architecture::source::{files, root, text};

/// Programs that are not ours, and whose words name nothing of ours but files.
const OTHERS: [&str; 12] = [
    "apt-get",
    "cd",
    "export",
    "go",
    "install",
    "journalctl",
    "npm",
    "npx",
    "pip",
    "psql",
    "python",
    "useradd",
];
/// Those that are looked at more closely.
const KNOWN: [&str; 13] = [
    "--set",
    "cargo",
    "docker",
    "eval",
    "helm",
    "kubectl",
    "make",
    "mangoes",
    "nats",
    "nats-server",
    "pg_dump",
    "sudo",
    "systemctl",
];
/// Where our files are.
const ROOMS: [&str; 12] = [
    ".ci/",
    "bench/",
    "crates/",
    "deploy/",
    "docker/",
    "docs/",
    "examples/",
    "migrations/",
    "nats/",
    "proto/",
    "scripts/",
    "tests/",
];
const SEPARATORS: [&str; 4] = ["&&", "||", "|", ";"];

/// Whether a line, or a span of text, is a command: a program that is known, and its words.
pub(super) fn is_command(text: &str) -> bool {
    let words = words(text);
    let mut own = words.iter().skip_while(|word| is_assignment(word));
    let Some(program) = own.next() else { return false };
    let is_known = OTHERS.contains(&program.as_str()) || KNOWN.contains(&program.as_str());
    (is_known && own.next().is_some()) || is_script(program)
}

fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && is_name(name))
}

fn is_script(program: &str) -> bool {
    ["scripts/", ".ci/"].iter().any(|room| program.starts_with(room))
}

/// What is wrong with a command.
pub(super) fn check(command: &str) -> Result<(), String> {
    // Alone it stands for more words, in a word for a part that is the reader's.
    let words = words(command).into_iter().filter(|word| word != "…");
    let words: Vec<String> = words.map(|word| word.replace('…', "example")).collect();
    words.split(|word| SEPARATORS.contains(&word.as_str())).try_for_each(check_words)
}

fn check_words(words: &[String]) -> Result<(), String> {
    words.iter().try_for_each(|word| path(word))?;
    let assignments = words.iter().take_while(|word| is_assignment(word)).count();
    let Some((program, rest)) = words[assignments..].split_first() else { return Ok(()) };
    match program.as_str() {
        "cargo" => cargo(rest),
        "docker" => docker(rest),
        "eval" => check(rest[0].trim_start_matches("$(").trim_end_matches(')')),
        // A part of one, as the text names it.
        "--set" => helm(words),
        "helm" => helm(rest),
        "kubectl" => kubectl(rest),
        "make" => make(rest),
        "mangoes" => says_its_help(mangoes(&Folder::new("documents-help").0).args(rest)),
        "nats" => says_its_help(Command::new(nats()).args(rest)),
        "nats-server" => nats_server(rest),
        "sudo" => check_words(&rest[2..]),
        "systemctl" => systemctl(rest),
        "pg_dump" => Ok(()),
        script if is_script(script) => path(script),
        other if OTHERS.contains(&other) => Ok(()),
        other => Err(format!("nothing is known about the program {other}")),
    }
}

/// A word that is the path of a file of ours.
fn path(word: &str) -> Result<(), String> {
    let is_ours = ROOMS.iter().any(|room| word.starts_with(room))
        || Path::new(word).extension().is_some_and(|e| e == "yml");
    let is_name = word.contains(['…', '<', '*']);
    if !is_ours || is_name || root().join(word).exists() {
        return Ok(());
    }
    Err(format!("there is no {word}"))
}

/// Parsing comes before the help: what it does not know is an error, with a status of its own.
fn says_its_help(command: &mut Command) -> Result<(), String> {
    match command.arg("--help").output() {
        // `make setup` installs `nats` only where Go is there.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Ok(done) if done.status.success() => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn nats() -> std::path::PathBuf {
    let ours = root().join(".mangoes/tools/bin/nats");
    if ours.exists() { ours } else { "nats".into() }
}

/// Its own check of the files, with a password for each user.
fn nats_server(arguments: &[String]) -> Result<(), String> {
    let folder = Folder::new("documents-nats");
    let mut server = Command::new(embedded::nats_server(&folder.0).unwrap());
    let users = text(&root().join("nats/users.conf"));
    let passwords = users.split('$').filter_map(|rest| rest.split_whitespace().next());
    for password in passwords.filter(|name| name.ends_with("_PASSWORD")) {
        server.env(password.trim_matches(|c: char| !c.is_ascii_alphabetic()), "sesame");
    }
    let said = Said::by(server.args(arguments).arg("-t").current_dir(root()));
    if said.succeeded() { Ok(()) } else { Err(said.text) }
}

fn make(words: &[String]) -> Result<(), String> {
    let makefile = text(&root().join("Makefile"));
    let is_there = |word: &String| match word.split_once('=') {
        Some((variable, _)) => makefile.contains(&format!("$({variable})")),
        None => makefile.lines().any(|line| line.starts_with(&format!("{word}:"))),
    };
    match words.iter().find(|word| !is_there(word)) {
        Some(word) => Err(format!("the Makefile has no {word}")),
        None => Ok(()),
    }
}

/// Packages and tests have to be there.
fn cargo(words: &[String]) -> Result<(), String> {
    let manifests = files("", |path| path.ends_with("Cargo.toml"));
    let names: BTreeSet<String> = manifests
        .iter()
        .flat_map(|path| text(path).lines().map(ToOwned::to_owned).collect::<Vec<_>>())
        .filter_map(|line| Some(line.strip_prefix("name = \"")?.trim_end_matches('"').to_owned()))
        .collect();
    for pair in words.windows(2) {
        let names_one = ["-p", "--test", "--bench", "--bin"].contains(&pair[0].as_str());
        if names_one && !names.contains(&pair[1]) {
            return Err(format!("no Cargo.toml names {}", pair[1]));
        }
    }
    Ok(())
}

/// Services and profiles have to be there; what the container `cli` is told is for our program.
fn docker(words: &[String]) -> Result<(), String> {
    let Some(("compose", rest)) = words.split_first().map(|(word, rest)| (word.as_str(), rest))
    else {
        return Ok(());
    };
    let compose = text(&root().join("docker-compose.yml"));
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-f" => drop(rest.next()),
            "--profile" => {
                let profile = rest.next().ok_or("--profile has no name")?;
                if !compose.contains(&format!("profiles: [{profile}]")) {
                    return Err(format!("no service has the profile {profile}"));
                }
            }
            "run" | "exec" | "logs" => break,
            _ => {}
        }
    }
    let mut rest = rest.skip_while(|word| word.starts_with('-'));
    let Some(service) = rest.next() else { return Ok(()) };
    if !compose.lines().any(|line| line.starts_with(&format!("  {service}:"))) {
        return Err(format!("there is no service {service}"));
    }
    let arguments: Vec<String> = rest.cloned().collect();
    let ours = ["mangoes".to_owned()].into_iter().chain(arguments).collect::<Vec<_>>();
    if service == "cli" { check_words(&ours) } else { Ok(()) }
}

/// The chart knows each value that is set.
fn helm(words: &[String]) -> Result<(), String> {
    let schema = text(&root().join("deploy/helm/mangoes/values.schema.json"));
    let schema: Value = serde_json::from_str(&schema).map_err(|e| e.to_string())?;
    for pair in words.windows(2).filter(|pair| pair[0] == "--set") {
        let name = pair[1].split('=').next().unwrap_or_default();
        let value = name.split('.').fold(&schema, |place, part| &place["properties"][part]);
        if value.is_null() {
            return Err(format!("the chart knows no value {name}"));
        }
    }
    Ok(())
}

/// The chart reads each key of a secret by that name.
fn kubectl(words: &[String]) -> Result<(), String> {
    let values = text(&root().join("deploy/helm/mangoes/values.yaml"));
    let keys = words.iter().filter_map(|word| word.strip_prefix("--from-"));
    let mut keys = keys.filter_map(|word| word.split('=').nth(1));
    match keys.find(|key| !values.contains(*key)) {
        Some(key) => Err(format!("the chart reads no {key}")),
        None => Ok(()),
    }
}

/// Units of ours stand in `deploy/systemd`.
fn systemctl(words: &[String]) -> Result<(), String> {
    let mut names = words.iter().skip(1).filter(|word| !word.starts_with('-'));
    names.try_for_each(|name| path(&format!("deploy/systemd/{name}.service")))
}
