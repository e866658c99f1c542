//! Doors that stay closed: strangers' servers, empty requests, passwords in messages.

#![expect(non_snake_case, reason = "a test is found by the id of the report that it holds")]

use std::{
    ffi::OsString,
    fs,
    os::unix::{ffi::OsStringExt, fs::PermissionsExt},
};

use serde_json::json;
use tests::{Folder, Said, World, eventually, http_get, mangoes, postgres};

/// Runs the program in its own folder; no password is in what it says.
fn run(folder: &Folder, env: &[(&str, &str)], args: &[&str]) -> Said {
    let mut command = mangoes(&folder.0);
    command.current_dir(&folder.0).envs(env.iter().copied()).args(args);
    let said = Said::by(&mut command);
    for unwanted in ["sesame", "panicked"] {
        assert!(!said.text.contains(unwanted), "{env:?} {args:?}: {}", said.text);
    }
    said
}

/// As `run`: it ends with this exit code, and says all of these words.
fn run_says(folder: &Folder, env: &[(&str, &str)], args: &[&str], expected: Expected<'_>) {
    let said = run(folder, env, args);
    assert_eq!(said.code, Some(expected.code), "{env:?} {args:?}: {}", said.text);
    for word in expected.words {
        assert!(said.text.contains(word), "{env:?} {args:?} without {word}: {}", said.text);
    }
}

/// How a command has to end, and what it has to say.
struct Expected<'a> {
    code: i32,
    words: &'a [&'a str],
}

const fn fails<'a>(code: i32, words: &'a [&'a str]) -> Expected<'a> {
    Expected { code, words }
}

const fn succeeds<'a>(words: &'a [&'a str]) -> Expected<'a> {
    Expected { code: 0, words }
}

/// A password may have any character, also one that cannot stand in an address as it is.
#[test]
fn P4_passwords_of_any_characters_are_shown_nowhere() {
    let folder = Folder::new("masked");
    for password in ["#sesame", "12/sesame", "?sesame", "1/,sesame", "/@sesame"] {
        let (nats, database) = (
            format!("nats://u:{password}@127.0.0.1:1"),
            format!("postgres://u:{password}@127.0.0.1:1/d"),
        );
        for env in [
            [("NATS_URL", "nats://127.0.0.1:1"), ("DATABASE_URL", &*database)],
            [("NATS_URL", &nats), ("DATABASE_URL", "")],
        ] {
            for args in
                [["config"].as_slice(), &["status"], &["up", "--demo"], &["serve", "scheduler"]]
            {
                run_says(&folder, &env, args, fails(2, &["%23"]));
            }
        }
    }
    // These can be read; nobody is there.
    for password in ["sesame", "ses@sesame", "%23sesame", "[sesame"] {
        let (nats, database) = (
            format!("nats://u:{password}@127.0.0.1:1"),
            format!("postgres://u:{password}@127.0.0.1:1/d"),
        );
        let env = [("NATS_URL", &*nats), ("DATABASE_URL", &database), ("RUST_LOG", "trace")];
        run_says(&folder, &env, &["topology"], fails(1, &[]));
    }
    let good = [
        ("NATS_URL", "nats://u:sesame@h:4222"),
        ("DATABASE_URL", "postgres://u:sesame@h/d"),
        ("TMDB_TOKEN", "sesame"),
    ];
    let shown = ["nats://u:***@h:4222", "postgres://u:***@h/d", "environment", "default"];
    run_says(&folder, &good, &["config"], succeeds(&shown));
}

/// The sentence names file, line, column and name; not what was written there.
#[test]
fn S3_what_is_wrong_with_the_file_of_settings_is_named() {
    let folder = Folder::new("toml");
    let file = folder.0.join("mangoes.toml");
    for (content, expected) in [
        ("tmdb_rate = 4\ntmdb_token = sesame", "line 2, column 14"),
        ("tmdb_tokne = \"sesame\"", "no setting 'tmdb_tokne'"),
        ("[tmdb]\ntoken = \"sesame\"", "no table [tmdb]"),
    ] {
        fs::write(&file, content).unwrap();
        run_says(&folder, &[], &["config"], fails(2, &[expected, "mangoes.toml"]));
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    run_says(&folder, &[], &["config"], fails(2, &["mangoes.toml cannot be read"]));
    fs::remove_dir(&file).unwrap();
    fs::write(&file, "tmdb_rate = 7\ntmdb_token_file = \"token\"").unwrap();
    fs::write(folder.0.join("token"), "sesame\n").unwrap();
    run_says(&folder, &[], &["config"], succeeds(&["TMDB_TOKEN_FILE token", "***"]));
}

/// A variable of somebody else may hold anything; one of ours is named when it cannot be read.
#[test]
fn S1_an_environment_that_is_not_utf_8_harms_nobody() {
    let folder = Folder::new("utf8");
    let config = |name: &str| {
        let odd = OsString::from_vec(vec![b'x', 0xff]);
        Said::by(mangoes(&folder.0).env(name, odd).arg("config"))
    };
    let said = config("SOMEBODY_ELSES");
    assert!(said.succeeded(), "{}", said.text);
    let said = config("TMDB_REGION");
    assert!(said.code == Some(2) && said.errors.contains("TMDB_REGION"), "{}", said.text);
    assert!(!said.text.contains("panicked"), "{}", said.text);
}

/// One address alone would join a stranger's broker with an empty database, or the other way round.
#[test]
fn S5_half_of_a_pair_of_servers_is_refused() {
    for (set, missing, url) in [
        ("NATS_URL", "DATABASE_URL", "nats://127.0.0.1:1"),
        ("DATABASE_URL", "NATS_URL", "postgres://u:p@127.0.0.1:1/d"),
    ] {
        let folder = Folder::new(&format!("half-{set}"));
        let words = format!("{set} is set and {missing} is not");
        let words = [&*words, "--embed-missing"];
        run_says(&folder, &[(set, url)], &["up", "--demo"], fails(2, &words));
        assert!(
            !folder.0.join("nats.lock").exists() && !folder.0.join("postgres.lock").exists(),
            "nothing was started"
        );
        let text = run(&folder, &[(set, url)], &["up", "--demo", "--embed-missing"]).text;
        assert!(!text.contains("is not: set both"), "the flag says so: {text}");
    }
}

/// The installation that a description of a stream names as its owner.
fn owner(stream: &str) -> Option<String> {
    let rest = stream.split("mangoes.installation").nth(1)?;
    Some(rest.chars().take(40).collect())
}

/// A process whose database is not the streams' own refuses to start, and takes them over only when
/// the flag says so.
#[tokio::test]
async fn N1_streams_belong_to_one_database() {
    let mut world = World::start("owner").await;
    let folder = Folder::new("stranger");
    let postgres = postgres(&folder).await;
    let database = postgres.database_url();
    let env = [("NATS_URL", world.nats_url.as_str()), ("DATABASE_URL", database.as_str())];
    run_says(&folder, &env, &["migrate"], succeeds(&[]));
    let events = async || world.jetstream("STREAM.INFO.MOVIES_EVENTS").await;
    let before = owner(&events().await);
    assert!(before.is_some(), "{}", events().await);
    for args in [["up", "--demo"].as_slice(), &["serve", "scheduler"], &["topology"]] {
        let said = run(&folder, &env, args);
        let sentences = said.text.lines().filter(|line| line.starts_with("mangoes: ")).count();
        assert!(!said.succeeded() && sentences == 1, "{args:?}: {}", said.text);
        for word in ["belongs to the installation", "topology --take-over"] {
            assert!(said.text.contains(word), "{args:?}: {}", said.text);
        }
    }
    let check = ["topology", "--check"];
    run_says(&folder, &env, &check, fails(1, &["mangoes.installation"]));
    assert_eq!(before, owner(&events().await));
    run_says(&folder, &env, &["topology", "--take-over"], succeeds(&["MOVIES_EVENTS"]));
    run_says(&folder, &env, &check, succeeds(&[]));
    assert_ne!(before, owner(&events().await));
    // The process that used them notices within seconds, and ends: it must not publish into
    // somebody else's streams.
    let look = async || (world.is_up(), world.log());
    eventually("it ends and says why", look, |(is_up, log)| {
        !is_up && log.contains("belongs to the installation")
    })
    .await;
    postgres.stop().await.unwrap();
}

/// A request that names nothing changes nothing; the answer says what the verb takes.
#[tokio::test]
async fn an_empty_request_changes_nothing() {
    let world = World::start("empty-request").await;
    world.all_published().await;
    let before = world.traces_of_requests().await;
    for (verb, wanted) in [
        ("jobs.hold", "held"),
        ("jobs.run", "name"),
        ("jobs.pause", "name"),
        ("jobs.resume", "name"),
        ("jobs.set", "name"),
        ("jobs.create", "name"),
        ("jobs.delete", "name"),
        ("jobs.cancel", "run_id"),
        ("jobs.backfill", "name"),
        ("ingest", "movies"),
        ("refresh", "movies"),
        ("dead.replay", "ids"),
        ("dead.drop", "ids"),
    ] {
        let (code, text) = world.request(verb, &json!({})).await.unwrap_err();
        assert!(code == 400 && text.contains(wanted), "{verb}: {code} {text}");
    }
    let (code, text) =
        world.request("jobs.set", &json!({"name": "refresh_worker"})).await.unwrap_err();
    assert!(code == 400 && text.contains("schedule"), "{code} {text}");
    assert_eq!(world.traces_of_requests().await, before);
}

/// Whoever else has an account here cannot read how to get in.
#[tokio::test]
async fn what_runs_here_is_told_to_its_user_alone() {
    let world = World::start("exports").await;
    let mode =
        |name: &str| fs::metadata(world.folder.0.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("endpoints.json"), 0o600);
    let log = world.log();
    assert!(
        log.contains("mangoes is up") && log.contains("config --env") && log.contains("simulator"),
        "{log}"
    );
    assert!(log.contains("nats://mangoes:***@127.0.0.1:"), "{log}");
    let password = |url: &str| url.split([':', '@']).nth(2).unwrap().to_owned();
    for secret in [password(&world.nats_url), password(&world.database_url)] {
        assert!(secret.len() > 20 && !log.contains(&secret), "a password is in the log");
    }
    let exports = world.verb(&["config", "--env"]);
    assert!(exports.contains(&format!("export NATS_URL='{}'\n", world.nats_url)), "{exports}");
    assert!(
        exports.contains(&format!("export DATABASE_URL='{}'\n", world.database_url)),
        "{exports}"
    );
    let sim = exports
        .lines()
        .find_map(|l| l.strip_prefix("export TMDB_SIM_URL='"))
        .unwrap()
        .trim_end_matches('\'');
    let (host, path) = sim.trim_start_matches("http://").split_once('/').unwrap();
    let (status, _) = http_get(host.parse().unwrap(), &format!("/{path}/stats"), "").await.unwrap();
    assert_eq!(status, 200);
    assert!(world.verb(&["health"]).starts_with("ready"));
    let nothing = Folder::new("nothing-runs");
    let said = run(&nothing, &[], &["config", "--env"]);
    assert!(!said.succeeded() && said.text.contains("mangoes up"), "{}", said.text);
    let listen = "127.0.0.1:1";
    run_says(&nothing, &[("MANGOES_LISTEN", listen)], &["health"], fails(1, &[listen]));
}
