//! What a closed, full or plain output does to commands and to a drain.

#![expect(non_snake_case, reason = "a test is found by the id of the report that it holds")]

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::fd::OwnedFd,
    process::{Command, Stdio},
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process};
use tests::{Folder, PATIENCE, Said, World, eventually, mangoes, program};

/// A shell's pipeline; returns what it wrote to standard error, and the status of the program in
/// it.
pub(crate) fn pipeline(world: &World, arguments: &str, rest: &str) -> (String, i32) {
    let program = program().display();
    let script = format!("'{program}' {arguments} {rest}; echo \"status ${{PIPESTATUS[0]}}\" >&2");
    let done = Command::new("bash")
        .args(["-c", &script])
        .env("MANGOES_DATA_DIR", &world.folder.0)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stderr).into_owned();
    let status =
        text.lines().rev().find_map(|line| line.strip_prefix("status ")).unwrap().parse().unwrap();
    (text, status)
}

/// A reader that has seen enough is no error; an output that takes nothing is one, with a sentence.
#[tokio::test]
async fn a_reader_that_goes_away_ends_a_command_quietly() {
    let world = World::start("closed-pipe").await;
    for arguments in [
        "watch --every 1",
        "watch --every 1 --json",
        "completions bash",
        "jobs list",
        "config",
        "--help",
    ] {
        let begun = Instant::now();
        let (text, status) = pipeline(&world, arguments, "| head -n 1 >/dev/null");
        assert!(status == 0 && text.lines().count() == 1, "{arguments}: {status} {text}");
        assert!(begun.elapsed() < PATIENCE, "{arguments} does not end");
    }
    for arguments in
        ["jobs list", "completions bash", "status --json", "--help", "--version", "config --env"]
    {
        let (text, status) = pipeline(&world, arguments, ">/dev/full");
        assert!(
            status == 1 && text.contains("standard output cannot be written"),
            "{arguments}: {status} {text}"
        );
    }
}

/// The program works on when nobody reads what it writes, and a stop takes all its steps.
#[tokio::test]
async fn S2_a_closed_output_does_not_stop_a_drain() {
    let folder = Folder::new("closed-output");
    let mut up = mangoes(&folder.0);
    up.args(["up", "--demo"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut up = up.spawn().unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("mangoes is up"), "{first}");
    // Nobody reads any more, neither output nor log.
    drop(lines);
    drop(up.stderr.take());
    // It has something to log, a dead letter, and does what comes behind that.
    let ingest = |id| Said::by(mangoes(&folder.0).args(["ingest", "--movie", id, "--follow"]));
    let unknown = ingest("999999999");
    assert!(!unknown.succeeded(), "{}", unknown.text);
    let known = ingest("603");
    assert!(known.succeeded(), "{}", known.text);
    assert!(up.try_wait().unwrap().is_none(), "it goes on");
    kill_process(Pid::from_child(&up), Signal::TERM).unwrap();
    let ended = async || up.try_wait().unwrap();
    let status = eventually("the program stops", ended, Option::is_some).await.unwrap();
    assert!(status.success(), "{status}");
    assert!(!folder.0.join("endpoints.json").exists(), "it came to its last step");
}

/// Colours are for terminals, and for people who did not say no.
#[tokio::test]
async fn a_log_that_is_no_terminal_has_no_colours() {
    let world = World::start("plain").await;
    for text in [
        world.log(),
        world.verb(&["status"]),
        world.verb(&["jobs", "list"]),
        world.verb(&["--help"]),
    ] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    let on_a_terminal = |no_colour: &str| {
        let Ok((controller, user)) = terminal() else { return None };
        let mut command = mangoes(&world.folder.0);
        command
            .arg("--help")
            .env("NO_COLOR", no_colour)
            .stdout(Stdio::from(user))
            .stdin(Stdio::null());
        command.status().unwrap();
        drop(command);
        // The last byte is followed by an error, for the other side is closed.
        let mut lines = BufReader::new(File::from(controller)).lines();
        Some(std::iter::from_fn(|| lines.next()?.ok()).collect::<Vec<_>>().join("\n"))
    };
    if let (Some(coloured), Some(plain)) = (on_a_terminal(""), on_a_terminal("1")) {
        assert!(coloured.contains('\u{1b}'), "{coloured}");
        assert!(!plain.contains('\u{1b}') && plain.contains("Usage"), "{plain}");
    } else {
        println!("SKIPPED: this system gives no pseudo-terminal");
    }
}

/// An id that is not there is an error that names it; a choice that fits nothing is none.
#[tokio::test]
async fn nothing_to_do_is_said_and_an_unknown_id_is_an_error() {
    let world = World::start("nothing-to-do").await;
    for verb in ["drop", "replay"] {
        let unknown = world.try_verb(&["dead", verb, "99"]);
        assert_eq!(unknown.code, Some(1), "{verb}: {}", unknown.text);
        assert!(unknown.errors.contains("no dead letter 99"), "{verb}: {}", unknown.errors);
        for choice in [&["--all"][..], &["--reason", "not-found"]] {
            let none = world.verb(&[&["dead", verb], choice].concat());
            assert!(none.contains("no dead letter matches"), "{verb} {choice:?}: {none}");
        }
        let wrong = world.try_verb(&["dead", verb, "x"]);
        assert_eq!(wrong.code, Some(2), "{verb}: {}", wrong.text);
        assert!(wrong.errors.contains("'x' is not the id of a dead letter"), "{}", wrong.errors);
    }
    let wrong = world.verb_fails(&["dead", "show", "x"]);
    assert!(wrong.contains("'x' is not the id") && wrong.contains("mangoes dead list"), "{wrong}");
}

/// A table is no wider than its terminal, and `watch` no higher; where nobody's terminal is, a
/// table has its full width and `watch` writes no codes.
#[tokio::test]
async fn what_a_terminal_shows_fits_it() {
    let world = World::start("narrow").await;
    world.verb(&["jobs", "run", "maintenance", "--follow"]);
    let piped = world.verb(&["jobs", "runs"]);
    assert!(piped.lines().next().unwrap().contains("NOT NEEDED"), "{piped}");
    let (codes, _) = pipeline(&world, "watch --every 1", "| head -n 60 | grep -c $'\\e' >&2");
    assert!(codes.starts_with("0\n"), "lines with screen codes: {codes}");
    let every = [&["jobs", "list"][..], &["jobs", "runs"], &["status"], &["dead", "list"]];
    for arguments in every {
        let Some(shown) = on_a_terminal(&world, arguments) else { return };
        let widest = shown.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= COLUMNS, "{arguments:?}: {widest} columns\n{shown}");
    }
    let Some(watched) = on_a_terminal(&world, &["watch", "--every", "1"]) else { return };
    let frame = watched.split(CLEAR).nth(1).unwrap();
    let lines: Vec<_> = frame.lines().collect();
    assert!(lines[0].starts_with("Fresh:") && lines.len() < ROWS, "{frame}");
    assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS), "{frame}");
}

const ROWS: usize = 24;
const COLUMNS: usize = 80;
/// What `watch` writes before each of its screens.
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

/// What a command writes on a terminal of 80 columns and 24 rows; two screens of one that does not
/// end.
#[expect(clippy::print_stdout, reason = "why a test is left out is for people")]
fn on_a_terminal(world: &World, arguments: &[&str]) -> Option<String> {
    let Ok((controller, user)) = terminal() else {
        println!("SKIPPED: this system gives no pseudo-terminal");
        return None;
    };
    let mut stty = Command::new("stty");
    let (rows, columns) = (ROWS.to_string(), COLUMNS.to_string());
    stty.args(["rows", &rows, "cols", &columns]).stdin(user.try_clone().unwrap());
    assert!(stty.status().unwrap().success());
    // It has the terminal open, too.
    drop(stty);
    let mut command = mangoes(&world.folder.0);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::from(user)).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut lines = BufReader::new(File::from(controller)).lines();
    let mut shown = String::new();
    // The last line is followed by an error, for the other side is closed.
    while let Some(Ok(line)) = lines.next() {
        shown.push_str(line.trim_end_matches('\r'));
        shown.push('\n');
        if shown.matches(CLEAR).count() == 2 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    Some(shown)
}

/// Both sides of a pseudo-terminal.
fn terminal() -> std::io::Result<(OwnedFd, OwnedFd)> {
    use rustix::{
        fs::{Mode, OFlags},
        pty,
    };
    let controller = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY)?;
    pty::grantpt(&controller)?;
    pty::unlockpt(&controller)?;
    let name = pty::ptsname(&controller, Vec::new())?;
    let user = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
    Ok((controller, user))
}
