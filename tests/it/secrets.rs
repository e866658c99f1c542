//! The credential, sent with every call, is found nowhere afterwards: not in logs at level trace,
//! tables, streams or arguments.

use std::{fs, path::Path};

use tests::{Folder, World};
use tmdb_sim::{Faults, Options, Sim};

/// Of the form of a v3 key, which travels in the query: the harder case.
const V3_KEY: &str = "5e5a3e0cafe0123456789abcdef01234";
/// Of the form of a v4 token.
const V4_TOKEN: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJzZXNhbWUiOiJvcGVuIHRoaXMgZG9vciJ9.c2VzYW1l-c2VzYW1l_c2VzYW1l";

/// Files that hold the text.
fn holders(folder: &Path, secret: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            holders(&path, secret, found);
        } else if fs::read(&path).is_ok_and(|bytes| holds(&bytes, secret)) {
            found.push(path.display().to_string());
        }
    }
}

/// Processes that have the text among their arguments.
fn processes_told(secret: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| fs::read(path.join("cmdline")).is_ok_and(|bytes| holds(&bytes, secret)))
        .map(|path| path.display().to_string())
        .collect()
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(secret)
}

fn passwords_are_long_and_unlogged(world: &World) {
    for server in [&world.nats_url, &world.database_url] {
        let password = server.split([':', '@']).nth(2).unwrap();
        assert!(
            password.len() > 20 && !world.log().contains(password),
            "a server's password is in the log"
        );
    }
}

/// Works with the credential, well and badly, and then looks for it everywhere.
async fn leaves_no_trace(name: &str, variable: &str, secret: &str) {
    let sim = Sim::start(Options { credential: Some(secret.to_owned()), ..Options::default() })
        .await
        .unwrap();
    let base = sim.base_url();
    let env = [
        ("TMDB_BASE_URL", &*base),
        ("TMDB_TOKEN", ""),
        (variable, secret),
        ("RUST_LOG", "trace"),
        ("TMDB_RATE", "0"),
    ];
    let world = World::run_up(Folder::new(name), &["up"], &env).await;
    // Errors of every kind, for it is in errors that a URL is shown.
    sim.control().fail(Faults {
        http_500: 0.1,
        reset: 0.1,
        truncated: 0.1,
        html: 0.1,
        invalid_json: 0.1,
        ..Faults::default()
    });
    world.verb(&["ingest", "--list", "popular", "--max", "30", "--follow"]);
    world.ingest(999_999_999).await;
    world.dead_letters().because("not-found").becomes(1).await;
    sim.control().fail(Faults::default());
    sim.control().set_credential(Some("another".to_owned()));
    world.ingest_forced(603).await;
    world.budget().credential_refused().becomes(1).await;
    assert!(
        world.log().contains("TRACE") && world.calls().await > 30,
        "the run left traces at all"
    );
    passwords_are_long_and_unlogged(&world);
    assert!(!world.verb(&["config"]).contains(secret));
    let mut found = processes_told(secret);
    // Stopped, so that everything is on disk: log, tables, write-ahead log, streams.
    let folders = world.folders();
    let (folder, _) = world.stop().await;
    for place in folders {
        holders(&place, secret, &mut found);
    }
    drop(folder);
    assert!(found.is_empty(), "the credential is in {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_v3_key_is_found_nowhere() {
    leaves_no_trace("v3-key", "TMDB_API_KEY", V3_KEY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_v4_token_is_found_nowhere() {
    leaves_no_trace("v4-token", "TMDB_TOKEN", V4_TOKEN).await;
}
