//! The programs in `examples/` do what they say, each where its runtime is there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;
use tests::{Folder, Said, World, program, simulator};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// How a program is started; `Err`: why it cannot be tried here.
type Start = Result<Command, String>;

fn rust(_: &Folder) -> Start {
    Ok(Command::new(program().with_file_name("search-index")))
}

fn python(folder: &Folder) -> Start {
    let venv = folder.0.join("venv");
    done(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let requirements = examples().join("python/requirements.txt");
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    done(pip.args(["--require-hashes", "-r"]).arg(requirements))?;
    let mut python = Command::new(venv.join("bin/python"));
    python.arg(examples().join("python/search_index.py"));
    Ok(python)
}

fn typescript(folder: &Folder) -> Start {
    let copy = folder.0.join("typescript");
    fs::create_dir_all(&copy).unwrap();
    for file in [".npmrc", "package.json", "package-lock.json", "search-index.ts"] {
        fs::copy(examples().join("typescript").join(file), copy.join(file)).unwrap();
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--prefer-offline", "--fetch-retries=1", "--loglevel=error"]);
    done(npm.current_dir(&copy))?;
    let mut node = Command::new(copy.join("node_modules/.bin/tsx"));
    node.arg(copy.join("search-index.ts"));
    Ok(node)
}

/// What cannot be installed is a reason to leave a language out.
fn done(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {words}")) }
}

/// Those whose runtime is here, each with the name of its language.
#[expect(clippy::print_stdout, reason = "why an example is left out is for people")]
pub(crate) fn runnable(folder: &Folder) -> Vec<(&'static str, Command)> {
    let tries =
        [("rust", rust as fn(&Folder) -> Start), ("python", python), ("typescript", typescript)];
    let mut runnable = Vec::new();
    for (name, start) in tries {
        match start(folder) {
            Ok(command) => runnable.push((name, command)),
            Err(why) => println!("SKIPPED: the example in {name}: {why}"),
        }
    }
    assert!(!runnable.is_empty(), "the one in Rust needs nothing more");
    runnable
}

/// Builds the index from nothing, resumes, and builds it again: created, updated, removed movies.
#[tokio::test(flavor = "multi_thread")]
async fn each_keeps_its_index_right() {
    let sim = simulator().await;
    let world = World::start_against("examples", &sim, &[("TMDB_RATE", "0")]).await;
    world.verb(&["ingest", "--list", "popular", "--max", "20", "--follow"]);
    world.verb(&["ingest", "--movie", "603", "550", "--follow"]);
    let movies = world.movies().complete().await;
    let mut runnable = runnable(&world.folder);
    for (name, command) in &mut runnable {
        command.arg("--once").env("NATS_URL", &world.nats_url);
        command.env("INDEX", world.folder.0.join(format!("index-{name}")));
        says(name, command, &format!("{movies} movies, 0 removed"));
    }
    sim.control().edit(603, json!({"title": "The Matrix Again"}));
    world.verb(&["refresh", "--movie", "603", "--follow"]);
    sim.control().delete(550);
    world.stale(550).await;
    world.movies().missing().not_removed().becomes(1).await;
    world.missing_since_hours_earlier(25).await;
    world.stale(550).await;
    world.movie(550).removed().becomes(1).await;
    world.all_published().await;
    for (name, command) in &mut runnable {
        says(name, command, &format!("{} movies, 1 removed", movies - 1));
        let index = world.folder.0.join(format!("index-{name}"));
        let text = String::from_utf8_lossy(&fs::read(&index).unwrap()).into_owned();
        assert!(text.contains("The Matrix Again"), "{name}");
        fs::remove_file(&index).unwrap();
        says(name, command, &format!("{} movies, 0 removed", movies - 1));
    }
}

#[expect(clippy::print_stdout, reason = "what an example prints is for people")]
fn says(name: &str, command: &mut Command, words: &str) {
    let said = Said::by(command);
    println!("{name}: {}", said.text.trim());
    assert!(said.succeeded() && said.text.contains(words), "{name}: {words}: {}", said.text);
}

/// "Short" is part of what they are for.
#[test]
fn each_is_shorter_than_sixty_lines() {
    for file in ["python/search_index.py", "typescript/search-index.ts", "rust/src/main.rs"] {
        let lines = fs::read_to_string(examples().join(file)).unwrap().lines().count();
        println!("{file}: {lines} lines");
        assert!(lines < 60, "{file}: {lines}");
    }
}
