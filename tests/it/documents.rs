//! Every command of every document: those of `sh` blocks are run as they stand there, against a
//! running program, but for those of one table; what these and the commands within the text name
//! has to be there.

mod checks;
mod commands;
mod elsewhere;

use std::{
    path::Path,
    process::{Command, Stdio},
};

use tests::{Folder, PATIENCE, Process, Said, Wait, mangoes, postgres, program, superuser};

use commands::{Document, documents};
use elsewhere::{ELSEWHERE, why_elsewhere};

use crate::architecture::source::{none, root};

/// Goes on until it is stopped; the others need it.
const UP: &str = "mangoes up --demo";
/// Commands that go on until they are stopped: so long they are given to show something.
const ENDLESS: [&str; 2] = ["nats sub", "mangoes watch"];
const ENDLESS_FOR: &str = "3";

fn have(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", &format!("command -v {program} >/dev/null")])
        .status()
        .is_ok_and(|s| s.success())
}

/// One shell for all of them, as a reader has it: what one exports, the next ones have.
fn script(commands: &[String]) -> String {
    let mut script = String::from("set -eEuo pipefail\ntrap 'echo \"FAILED: $said\"' ERR\n");
    for command in commands {
        script += &format!("said={}\necho \"== $said\"\n", quoted(command));
        if ENDLESS.iter().any(|word| command.starts_with(word)) {
            // Status 124: it was stopped, and had nothing to complain about before.
            script += &format!("timeout {ENDLESS_FOR} {command} || [ $? = 124 ]\n");
        } else if command.starts_with("eval") {
            // An `eval` of nothing would succeed.
            script += &format!("{command}\n[ -n \"$NATS_URL\" ]\n");
        } else {
            script += &format!("{command}\n");
        }
    }
    script + "echo ALL DONE\n"
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What a shell must not inherit from the test's own environment.
const SETTINGS: [&str; 7] = [
    "NATS_URL",
    "DATABASE_URL",
    "TMDB_TOKEN",
    "TMDB_API_KEY",
    "NATS_CREDS",
    "MANGOES_LISTEN",
    "CARGO_TARGET_DIR",
];

/// What its commands need beyond the program, and whether it is here.
#[derive(Debug)]
struct Tools {
    nats: bool,
    psql: bool,
}

impl Tools {
    fn look(root: &Path) -> Self {
        let nats = have("nats") || root.join(".mangoes/tools/bin/nats").exists();
        Self { nats, psql: have("psql") }
    }

    /// Whether this command is tried here.
    fn try_here(&self, command: &str) -> bool {
        why_elsewhere(command).is_none()
            && (self.nats || !command.starts_with("nats "))
            && (self.psql || !command.starts_with("psql "))
    }
}

/// A checkout as `make setup` and `make demo` leave it: what its commands need is where they say.
fn checkout(root: &Path) -> Folder {
    let folder = Folder::new("documents");
    std::fs::create_dir_all(folder.0.join("target/release")).unwrap();
    std::fs::create_dir_all(folder.0.join(".mangoes")).unwrap();
    std::os::unix::fs::symlink(program(), folder.0.join("target/release/mangoes")).unwrap();
    for path in [".mangoes/tools", "migrations", "scripts"] {
        std::os::unix::fs::symlink(root.join(path), folder.0.join(path)).unwrap();
    }
    folder
}

/// Runs the command in the checkout; the data directory is the default one, below the current
/// directory.
fn in_checkout<'a>(folder: &Folder, command: &'a mut Command) -> &'a mut Command {
    command.current_dir(&folder.0).env_remove("MANGOES_DATA_DIR").stdin(Stdio::null())
}

/// The program as the README starts it, when it is up.
async fn up(folder: &Folder) -> Process {
    let mut command = mangoes(&folder.0);
    // Slow enough that a run can still be cancelled when its reader comes to that line.
    command.args(UP.split(' ').skip(1)).env("TMDB_RATE", "10");
    let log = folder.0.join("up.log");
    let mut up = Process::start(in_checkout(folder, &mut command), &log);
    let endpoints = folder.0.join(".mangoes/endpoints.json");
    let look = async || (endpoints.exists(), up.end());
    let wait = Wait::within(PATIENCE).showing(&log);
    let (_, end) = wait.until("it is up", look, |(is_up, end)| *is_up || end.is_some()).await;
    assert!(end.is_none(), "{}", folder.read("up.log"));
    up
}

/// A reader copies the commands one after the other, and each does what it should.
#[tokio::test]
async fn every_command_of_the_documents_works_as_it_stands() {
    let root = root();
    let mut commands: Vec<String> =
        documents().into_iter().flat_map(|document| document.commands).collect();
    assert!(commands.len() > 50 && commands.iter().any(|c| c == UP), "{commands:?}");
    let tools = Tools::look(&root);
    if !tools.nats || !tools.psql {
        println!("SKIPPED in part: {tools:?}; `make setup` installs what is not there");
    }
    commands.retain(|command| tools.try_here(command));
    let folder = checkout(&root);
    let mut up = up(&folder).await;
    // The database of an app, for its owner: docs/adoption.md says so.
    let place = Folder::new("documents-app");
    let app = postgres(&place).await;
    let mut shell = Command::new("bash");
    shell.env("ADMIN_URL", superuser(&app).await);
    for name in SETTINGS {
        shell.env_remove(name);
    }
    let said = Said::by(in_checkout(&folder, shell.args(["-c", &script(&commands)])));
    up.terminate();
    let ended = up.ended().await;
    assert!(
        said.succeeded() && said.text.contains("ALL DONE"),
        "{}\n{}",
        said.text,
        folder.read("up.log")
    );
    assert!(ended.success(), "{}", folder.read("up.log"));
    app.stop().await.unwrap();
    println!("{}", said.text);
}

/// What is not run names only what is there: targets, options, packages, services, files.
#[test]
fn what_commands_name_is_there() {
    let (mut findings, mut checked) = (Vec::new(), 0);
    for Document { name, commands, spans, .. } in documents() {
        let elsewhere = commands.iter().filter(|command| why_elsewhere(command).is_some());
        let within = spans.iter().filter(|span| checks::is_command(span));
        for command in elsewhere.chain(within) {
            checked += 1;
            let found = checks::check(command).err();
            findings.extend(found.map(|why| format!("{name}: `{command}`: {why}")));
        }
    }
    none("documents name commands as they are", &findings);
    assert!(checked > 100, "{checked} commands were checked");
}

/// A command is in an `sh` block or within the text, where these tests find it.
#[test]
fn commands_stand_where_they_are_run() {
    let mut findings = Vec::new();
    for Document { name, shown, .. } in documents() {
        let is_drawn = |line: &&String| line.contains("-->");
        let commands = shown.iter().filter(|line| checks::is_command(line) && !is_drawn(line));
        findings.extend(commands.map(|line| format!("{name}: {}", line.trim())));
    }
    none("commands stand in `sh` blocks", &findings);
}

/// The table names only what stands in a document.
#[test]
fn each_row_of_what_is_run_elsewhere_is_needed() {
    let documents = documents();
    let commands: Vec<&String> = documents.iter().flat_map(|document| &document.commands).collect();
    let is_unused = |begins: &str| !commands.iter().any(|command| command.starts_with(begins));
    let unused = ELSEWHERE.iter().filter(|row| is_unused(row.begins));
    let unused: Vec<String> = unused.map(|row| format!("{}: {}", row.begins, row.why)).collect();
    none("each row is about a command", &unused);
}
