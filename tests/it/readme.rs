//! Every command of README.md, as it stands there, against a running program.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::world::{Folder, PATIENCE, mangoes};

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
        match ENDLESS.iter().any(|word| command.starts_with(word)) {
            // Status 124: it was stopped, and had nothing to complain about before.
            true => script += &format!("timeout {ENDLESS_FOR} {command} || [ $? = 124 ]\n"),
            // An `eval` of nothing would succeed.
            false if command.starts_with("eval") => {
                script += &format!("{command}\n[ -n \"$NATS_URL\" ]\n")
            }
            false => script += &format!("{command}\n"),
        }
    }
    script + "echo ALL DONE\n"
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[test]
fn every_command_of_the_readme_works_as_it_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let commands = commands(&std::fs::read_to_string(root.join("README.md")).unwrap());
    assert!(commands.len() > 25 && commands.iter().any(|c| c == UP), "{commands:?}");
    let nats = have("nats") || root.join(".mangoes/tools/bin/nats").exists();
    let psql = have("psql");
    if !nats || !psql {
        println!(
            "SKIPPED in part: nats there: {nats}, psql there: {psql}; `make setup` installs them"
        );
    }
    let here = |command: &String| {
        let elsewhere = ELSEWHERE.iter().any(|e| command.starts_with(e)) || command == UP;
        !elsewhere
            && (nats || !command.starts_with("nats "))
            && (psql || !command.starts_with("psql "))
    };
    let folder = Folder::new("readme");
    // A checkout as `make setup` and `make demo` leave it: what its commands need is where they
    // say.
    let tools = root.canonicalize().unwrap().join(".mangoes/tools");
    std::fs::create_dir_all(folder.0.join("target/release")).unwrap();
    std::fs::create_dir_all(folder.0.join(".mangoes")).unwrap();
    std::os::unix::fs::symlink(tests::program(), folder.0.join("target/release/mangoes")).unwrap();
    std::os::unix::fs::symlink(&tools, folder.0.join(".mangoes/tools")).unwrap();
    let log = std::fs::File::create(folder.0.join("up.log")).unwrap();
    // The data directory is the default one, below the current directory.
    let run = |program: &mut Command| {
        program.current_dir(&folder.0).env_remove("MANGOES_DATA_DIR").stdin(Stdio::null());
    };
    let mut up = mangoes(&folder.0);
    // Slow enough that a run can still be cancelled when its reader comes to that line.
    run(up
        .args(UP.split(' ').skip(1))
        .env("TMDB_RATE", "10")
        .stdout(log.try_clone().unwrap())
        .stderr(log));
    let mut up = up.spawn().unwrap();
    let begun = Instant::now();
    while !folder.0.join(".mangoes/endpoints.json").exists() {
        assert!(
            begun.elapsed() < PATIENCE && up.try_wait().unwrap().is_none(),
            "{}",
            read(&folder, "up.log")
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut shell = Command::new("bash");
    for name in
        ["NATS_URL", "DATABASE_URL", "TMDB_TOKEN", "TMDB_API_KEY", "NATS_CREDS", "MANGOES_LISTEN"]
    {
        shell.env_remove(name);
    }
    let todo: Vec<String> = commands.into_iter().filter(here).collect();
    run(shell.args(["-c", &script(&todo)]));
    let done = shell.output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    let pid = rustix::process::Pid::from_child(&up);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = up.wait().unwrap();
    assert!(
        done.status.success() && said.contains("ALL DONE"),
        "{said}\n{}",
        read(&folder, "up.log")
    );
    assert!(ended.success(), "{}", read(&folder, "up.log"));
    println!("{said}");
}

fn read(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.0.join(name)).unwrap_or_default()
}
