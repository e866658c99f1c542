//! Doors that stay closed: strangers' servers, empty requests, passwords in messages.

use std::{
    fs,
    os::unix::{ffi::OsStringExt, fs::PermissionsExt},
    process::Output,
};

use serde_json::json;

use crate::world::{Folder, World, mangoes};

/// Runs the program in its own folder, with what it wrote.
fn run(folder: &Folder, env: &[(&str, &str)], args: &[&str]) -> (Output, String) {
    let done = mangoes(&folder.0)
        .current_dir(&folder.0)
        .envs(env.iter().copied())
        .args(args)
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(!text.contains("sesame") && !text.contains("panicked"), "{env:?} {args:?}: {text}");
    (done, text)
}

#[test]
fn passwords_of_any_characters_are_shown_nowhere() {
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
                let (done, text) = run(&folder, &env, args);
                assert!(
                    done.status.code() == Some(2) && text.contains("%23"),
                    "{env:?} {args:?}: {text}"
                );
            }
        }
    }
    // These can be read; nobody is there.
    for password in ["sesame", "ses@sesame", "%23sesame", "[sesame"] {
        let (nats, database) = (
            format!("nats://u:{password}@127.0.0.1:1"),
            format!("postgres://u:{password}@127.0.0.1:1/d"),
        );
        let (done, _) = run(
            &folder,
            &[("NATS_URL", &nats), ("DATABASE_URL", &database), ("RUST_LOG", "trace")],
            &["topology"],
        );
        assert_eq!(done.status.code(), Some(1));
    }
    let good = [
        ("NATS_URL", "nats://u:sesame@h:4222"),
        ("DATABASE_URL", "postgres://u:sesame@h/d"),
        ("TMDB_TOKEN", "sesame"),
    ];
    let (done, text) = run(&folder, &good, &["config"]);
    assert!(
        done.status.success()
            && text.contains("nats://u:***@h:4222")
            && text.contains("postgres://u:***@h/d"),
        "{text}"
    );
    assert!(text.contains("environment") && text.contains("default"), "{text}");
}

#[test]
fn what_is_wrong_with_the_file_of_settings_is_named() {
    let folder = Folder::new("toml");
    let file = folder.0.join("mangoes.toml");
    for (content, expected) in [
        ("tmdb_rate = 4\ntmdb_token = sesame", "line 2, column 14"),
        ("tmdb_tokne = \"sesame\"", "no setting 'tmdb_tokne'"),
        ("[tmdb]\ntoken = \"sesame\"", "no table [tmdb]"),
    ] {
        fs::write(&file, content).unwrap();
        let (done, text) = run(&folder, &[], &["config"]);
        assert!(
            done.status.code() == Some(2)
                && text.contains(expected)
                && text.contains("mangoes.toml"),
            "{content}: {text}"
        );
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let (done, text) = run(&folder, &[], &["config"]);
    assert!(
        done.status.code() == Some(2) && text.contains("mangoes.toml cannot be read"),
        "{text}"
    );
    fs::remove_dir(&file).unwrap();
    fs::write(&file, "tmdb_rate = 7\ntmdb_token_file = \"token\"").unwrap();
    fs::write(folder.0.join("token"), "sesame\n").unwrap();
    let (done, text) = run(&folder, &[], &["config"]);
    assert!(
        done.status.success() && text.contains("TMDB_TOKEN_FILE token") && text.contains("***"),
        "{text}"
    );
}

#[test]
fn an_environment_that_is_not_utf_8_harms_nobody() {
    let folder = Folder::new("utf8");
    let odd = || std::ffi::OsString::from_vec(vec![b'x', 0xff]);
    let done = mangoes(&folder.0).env("SOMEBODY_ELSES", odd()).arg("config").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let done = mangoes(&folder.0).env("TMDB_REGION", odd()).arg("config").output().unwrap();
    let text = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.code() == Some(2) && text.contains("TMDB_REGION") && !text.contains("panicked"),
        "{text}"
    );
}

/// One address alone would join a stranger's broker with an empty database, or the other way round.
#[test]
fn half_of_a_pair_of_servers_is_refused() {
    for (set, missing, url) in [
        ("NATS_URL", "DATABASE_URL", "nats://127.0.0.1:1"),
        ("DATABASE_URL", "NATS_URL", "postgres://u:p@127.0.0.1:1/d"),
    ] {
        let folder = Folder::new(&format!("half-{set}"));
        let (done, text) = run(&folder, &[(set, url)], &["up", "--demo"]);
        let words = format!("{set} is set and {missing} is not");
        assert!(
            done.status.code() == Some(2)
                && text.contains(&words)
                && text.contains("--embed-missing"),
            "{text}"
        );
        assert!(
            !folder.0.join("nats.lock").exists() && !folder.0.join("postgres.lock").exists(),
            "nothing was started"
        );
        let (_, text) = run(&folder, &[(set, url)], &["up", "--demo", "--embed-missing"]);
        assert!(!text.contains("is not: set both"), "told so by a flag: {text}");
    }
}

/// A process whose database is not the streams' own refuses to start, and takes them over only when
/// told so.
#[tokio::test]
async fn streams_belong_to_one_database() {
    let mut world = World::start("owner").await;
    let folder = Folder::new("stranger");
    let options =
        embedded::Options { data_dir: folder.0.join("servers"), nats_port: None, durable: false };
    let postgres = embedded::Postgres::start(&options).await.unwrap();
    let database = postgres.database_url();
    let env = [("NATS_URL", world.nats_url.as_str()), ("DATABASE_URL", database.as_str())];
    let (done, text) = run(&folder, &env, &["migrate"]);
    assert!(done.status.success(), "{text}");
    let before = world.jetstream("STREAM.INFO.MOVIES_EVENTS").await;
    for args in [["up", "--demo"].as_slice(), &["serve", "scheduler"], &["topology"]] {
        let (done, text) = run(&folder, &env, args);
        let sentences = text.lines().filter(|line| line.starts_with("mangoes: ")).count();
        assert!(
            !done.status.success()
                && sentences == 1
                && text.contains("belongs to the installation"),
            "{args:?}: {text}"
        );
        assert!(text.contains("topology --take-over"), "{text}");
    }
    let (done, text) = run(&folder, &env, &["topology", "--check"]);
    assert!(done.status.code() == Some(1) && text.contains("mangoes.installation"), "{text}");
    let owner = |answer: &str| {
        answer
            .split("mangoes.installation")
            .nth(1)
            .map(|rest| rest.chars().take(40).collect::<String>())
    };
    assert_eq!(owner(&before), owner(&world.jetstream("STREAM.INFO.MOVIES_EVENTS").await));
    assert!(owner(&before).is_some(), "{before}");
    let (done, text) = run(&folder, &env, &["topology", "--take-over"]);
    assert!(done.status.success() && text.contains("MOVIES_EVENTS"), "{text}");
    let (done, text) = run(&folder, &env, &["topology", "--check"]);
    assert!(done.status.success(), "{text}");
    assert_ne!(owner(&before), owner(&world.jetstream("STREAM.INFO.MOVIES_EVENTS").await));
    // The process that used them is told within seconds, and ends: it must not publish into
    // somebody else's streams.
    let begun = std::time::Instant::now();
    while !world.log().contains("belongs to the installation") || world.child_runs() {
        assert!(begun.elapsed() < crate::world::PATIENCE, "it goes on: {}", world.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    postgres.stop().await.unwrap();
}

/// A request that names nothing changes nothing, and is told what the verb takes.
#[tokio::test]
async fn an_empty_request_changes_nothing() {
    let world = World::start("empty-request").await;
    let settled = "select count(*) from outbox where published_at is null";
    world.until(settled, 0).await;
    let all = "select (select count(*) from job_audit) + (select count(*) from job_run) + (select count(*) from outbox)
        + (select count(*) from job_hold where held)";
    let before = world.one(all).await;
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
    assert_eq!(world.one(all).await, before);
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
    let (status, _) =
        tests::http_get(host.parse().unwrap(), &format!("/{path}/stats"), "").await.unwrap();
    assert_eq!(status, 200);
    assert!(world.verb(&["health"]).starts_with("ready"));
    let nothing = Folder::new("nothing-runs");
    let (done, text) = run(&nothing, &[], &["config", "--env"]);
    assert!(!done.status.success() && text.contains("mangoes up"), "{text}");
    let (done, text) = run(&nothing, &[("MANGOES_LISTEN", "127.0.0.1:1")], &["health"]);
    assert!(done.status.code() == Some(1) && text.contains("127.0.0.1:1"), "{text}");
}
