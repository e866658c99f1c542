//! Every command of README.md, docs/events.md and docs/nats.md, as it stands there, against a
//! running program.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use tests::{Folder, PATIENCE, Process, Said, Wait, mangoes, program};

/// Run elsewhere: the first two by CI, literally, and the last by `make compose-test`.
const ELSEWHERE: [&str; 4] =
    ["make demo", "make test", "docker compose", "eval \"$(docker compose"];
/// Goes on until it is stopped; the others need it.
const UP: &str = "mangoes up --demo";
/// Commands that go on until they are stopped: so long they are given to show something.
const ENDLESS: [&str; 2] = ["nats sub", "mangoes watch"];
const ENDLESS_FOR: &str = "3";

/// The commands of the fenced `sh` blocks, in order.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines =
        blocks.flat_map(str::lines).map(|line| line.split("   # ").next().unwrap_or(line).trim());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(ToOwned::to_owned).collect()
}

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
        let elsewhere = ELSEWHERE.iter().any(|e| command.starts_with(e)) || command == UP;
        !elsewhere
            && (self.nats || !command.starts_with("nats "))
            && (self.psql || !command.starts_with("psql "))
    }
}

/// A checkout as `make setup` and `make demo` leave it: what its commands need is where they say.
fn checkout(root: &Path) -> Folder {
    let folder = Folder::new("readme");
    let tools = root.canonicalize().unwrap().join(".mangoes/tools");
    std::fs::create_dir_all(folder.0.join("target/release")).unwrap();
    std::fs::create_dir_all(folder.0.join(".mangoes")).unwrap();
    std::os::unix::fs::symlink(program(), folder.0.join("target/release/mangoes")).unwrap();
    std::os::unix::fs::symlink(&tools, folder.0.join(".mangoes/tools")).unwrap();
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
async fn every_command_of_the_readme_works_as_it_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let of = |file: &str| commands(&std::fs::read_to_string(root.join(file)).unwrap());
    let mut commands = of("README.md");
    commands.extend(of("docs/events.md"));
    commands.extend(of("docs/nats.md"));
    assert!(commands.len() > 25 && commands.iter().any(|c| c == UP), "{commands:?}");
    let tools = Tools::look(&root);
    if !tools.nats || !tools.psql {
        println!("SKIPPED in part: {tools:?}; `make setup` installs what is not there");
    }
    commands.retain(|command| tools.try_here(command));
    let folder = checkout(&root);
    let mut up = up(&folder).await;
    let mut shell = Command::new("bash");
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
    println!("{}", said.text);
}
