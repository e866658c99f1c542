//! Accounts of NATS as others have them: certificates, tokens, keys, passwords that change, limits,
//! domains, two installations side by side.

#![expect(non_snake_case, reason = "a test is found by the id of the report that it holds")]

use std::{fs, path::Path, process::Command};

use embedded::Postgres;
use serde_json::{Value, json};
use tests::{
    CREDENTIAL, Database, Folder, PATIENCE, Process, Said, SecuredNats, Wait, mangoes, postgres,
    simulator,
};
use tmdb_sim::Sim;

mod operator_mode;

/// A seed of a user and its public key.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const PUBLIC_KEY: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
const PLAIN: &str = "authorization { user: a, password: old }\n";

/// `mangoes topology`, which needs nothing but NATS.
fn topology(folder: &Folder, settings: &[(&str, &str)]) -> Said {
    Said::by(mangoes(&folder.0).arg("topology").envs(settings.iter().copied()))
}

#[tokio::test]
async fn a_refused_certificate_has_a_remedy() {
    let folder = Folder::new("tls");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/test-certificates");
    let made = Said::by(Command::new(script).arg(folder.0.join("certificates")));
    assert!(made.succeeded(), "{}", made.text);
    let file = |name: &str| folder.0.join("certificates").join(name).display().to_string();
    let [ca, cert, key] = ["ca.pem", "client.pem", "client.key"].map(file);
    let settings = format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {ca:?}, verify: true }}\n",
        file("server.pem"),
        file("server.key")
    );
    let nats = SecuredNats::with_settings(&folder, &settings).await;
    let local = format!("tls://{}", nats.address());
    let (folder_elsewhere, folder_plain) = (Folder::new("tls-elsewhere"), Folder::new("no-tls"));
    let other = SecuredNats::at(&folder_elsewhere, "127.0.0.2", &settings).await;
    let elsewhere = format!("tls://{}", other.address());
    let (url, ca) = (("NATS_URL", local.as_str()), ("NATS_CA", ca.as_str()));
    let own = [("NATS_CERT", cert.as_str()), ("NATS_KEY", key.as_str())];
    for (settings, words) in [
        (vec![url], "NATS_CA"),
        (vec![url, ca], "NATS_CERT and NATS_KEY"),
        (vec![url, ("NATS_CA", "/nowhere/ca.pem")], "/nowhere/ca.pem cannot be read"),
        (vec![("NATS_URL", elsewhere.as_str()), ca, own[0], own[1]], "another name"),
    ] {
        let said = topology(&folder, &settings);
        assert_eq!(said.code, Some(1), "{settings:?}: {}", said.text);
        assert!(said.text.contains(words), "{settings:?}: {}", said.text);
        assert!(!said.text.contains("is it running there"), "{}", said.text);
    }
    let said = topology(&folder, &[url, ca, own[0], own[1]]);
    assert!(said.succeeded() && said.text.contains("MOVIES_EVENTS is made"), "{}", said.text);
    let plain = SecuredNats::with_settings(&folder_plain, "").await;
    let url = format!("nats://{}", plain.address());
    let said = topology(&folder, &[("NATS_URL", &url), ca]);
    assert!(said.text.contains("does not speak TLS"), "{}", said.text);
}

#[tokio::test]
async fn N6_a_token_or_a_key_logs_in() {
    let folder = Folder::new("logins");
    let seed = folder.0.join("seed");
    fs::write(&seed, SEED).unwrap();
    let seed = seed.display().to_string();
    for (name, settings, user, more) in [
        ("token", "authorization { token: sesame }\n".to_owned(), "sesame@", vec![]),
        (
            "nkey",
            format!("authorization {{ users: [{{ nkey: {PUBLIC_KEY} }}] }}\n"),
            "",
            vec![("NATS_NKEY", seed.as_str())],
        ),
    ] {
        let folder = Folder::new(name);
        let nats = SecuredNats::with_settings(&folder, &settings).await;
        let url = |user: &str| format!("nats://{user}{}", nats.address());
        let refused = topology(&folder, &[("NATS_URL", &url("wrong-sesame@"))]);
        assert!(refused.text.contains("check user and password"), "{name}: {}", refused.text);
        assert!(!refused.text.contains("wrong-sesame"), "{name}: {}", refused.text);
        let url = url(user);
        let said = topology(&folder, &[vec![("NATS_URL", url.as_str())], more].concat());
        assert!(said.succeeded(), "{name}: {}", said.text);
    }
}

/// Postgres, a simulator, and processes on a NATS of the test's own.
struct Stage {
    folder: Folder,
    postgres: Postgres,
    database: Database,
    sim: Sim,
}

impl Stage {
    async fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let (postgres, sim) = (postgres(&folder).await, simulator().await);
        let log = folder.0.join("log");
        let database = Database::connect(&postgres.database_url(), &log).await;
        Self { folder, postgres, database, sim }
    }

    fn command(&self, args: &[&str], settings: &[(&str, &str)]) -> Command {
        let mut command = mangoes(&self.folder.0.join("data"));
        command
            .args(args)
            .env("DATABASE_URL", self.postgres.database_url())
            .env("TMDB_BASE_URL", self.sim.base_url())
            .env("TMDB_TOKEN", CREDENTIAL)
            .envs(settings.iter().copied());
        command
    }

    /// All services; returns when they run.
    async fn up(&self, settings: &[(&str, &str)]) -> Process {
        let log = self.folder.0.join("log");
        let before = self.ups();
        let process = Process::start(&mut self.command(&["up"], settings), &log);
        let look = async || self.ups();
        Wait::within(PATIENCE).showing(&log).until("it is up", look, |ups| *ups > before).await;
        process
    }

    fn ups(&self) -> usize {
        self.folder.read("log").matches("mangoes is up").count()
    }
}

/// The password is changed at the server and in the file: nothing has to be restarted.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_changes_is_read_again() {
    let stage = Stage::new("rotation").await;
    let nats = SecuredNats::with_settings(&stage.folder, PLAIN).await;
    let file = stage.folder.0.join("nats-url");
    let write = |password: &str| {
        fs::write(&file, format!("nats://a:{password}@{}\n", nats.address())).unwrap();
    };
    write("old");
    let _up = stage.up(&[("NATS_URL_FILE", file.to_str().unwrap())]).await;
    let said = Said::by(&mut stage.command(
        &["ingest", "--movie", "603", "--follow"],
        &[("NATS_URL_FILE", file.to_str().unwrap())],
    ));
    assert!(said.succeeded(), "{}", said.text);
    write("new");
    nats.change_settings(&PLAIN.replace("old", "new"));
    let by_file = [("NATS_URL_FILE", file.to_str().unwrap())];
    let ingest = ["ingest", "--movie", "550", "--follow"];
    let look = async || Said::by(&mut stage.command(&ingest, &by_file));
    Wait::within(PATIENCE)
        .showing(&stage.folder.0.join("log"))
        .until("the new password is used", look, Said::succeeded)
        .await;
    stage.database.complete(550).await;
}

/// Asks JetStream as the user of `PLAIN`.
async fn jetstream(nats: &SecuredNats, verb: &str, body: &Value) -> Value {
    let url = format!("nats://a:old@{}", nats.address());
    let subject = format!("$JS.API.{verb}");
    tests::PlainNats::at(&url).ask_json(&subject, body.to_string().as_bytes()).await
}

/// What an operator may choose stays over a restart; what the rules need is set right, and said.
#[tokio::test(flavor = "multi_thread")]
async fn N4_settings_of_an_operator_survive() {
    let stage = Stage::new("operators-settings").await;
    let nats = SecuredNats::with_settings(&stage.folder, PLAIN).await;
    let url = format!("nats://a:old@{}", nats.address());
    let settings = [("NATS_URL", url.as_str())];
    drop(stage.up(&settings).await);
    let info = async || jetstream(&nats, "STREAM.INFO.MOVIES_EVENTS", &json!({})).await;
    let mut chosen = info().await["config"].take();
    let config = chosen.as_object_mut().unwrap();
    let days_90 = 90_i64 * 86_400_000_000_000;
    config.extend([
        ("max_bytes".to_owned(), json!(1 << 30)),
        ("max_age".to_owned(), json!(days_90)),
        ("compression".to_owned(), json!("s2")),
        ("deny_purge".to_owned(), json!(true)),
        (
            "republish".to_owned(),
            json!({"src": "movies.changed.*", "dest": "copy.{{wildcard(1)}}"}),
        ),
        ("description".to_owned(), json!("theirs")),
    ]);
    config["metadata"]["team"] = json!("films");
    let edited = jetstream(&nats, "STREAM.UPDATE.MOVIES_EVENTS", &chosen).await;
    assert!(edited.get("error").is_none(), "{edited}");
    drop(stage.up(&settings).await);
    let there = info().await["config"].take();
    for setting in ["max_bytes", "max_age", "compression", "deny_purge", "republish", "description"]
    {
        assert_eq!(there[setting], edited["config"][setting], "{setting}");
    }
    assert_eq!(there["metadata"]["team"], "films");
    let check = || Said::by(&mut stage.command(&["topology", "--check"], &settings));
    assert!(check().succeeded(), "{}", check().text);
    let mut broken = there.clone();
    broken["max_age"] = json!(86_400_000_000_000_i64);
    jetstream(&nats, "STREAM.UPDATE.MOVIES_EVENTS", &broken).await;
    let said = check();
    assert_eq!(said.code, Some(1), "{}", said.text);
    for words in ["max_age", "30 d", "1 d"] {
        assert!(said.text.contains(words), "{words}: {}", said.text);
    }
    let said = Said::by(&mut stage.command(&["topology"], &settings));
    assert!(said.text.contains("MOVIES_EVENTS: max_age is 30 d now, it was 1 d"), "{}", said.text);
    assert_eq!(info().await["config"]["max_bytes"], json!(1 << 30), "the rest stays");
}

/// An account that demands a limit of each stream, and a domain of JetStream.
#[tokio::test(flavor = "multi_thread")]
async fn N3_limits_of_an_account_and_domains_are_served() {
    let stage = Stage::new("limits").await;
    let limited = "jetstream { domain: hub }\naccounts { A { \
                   jetstream: { max_file: 1GB, max_mem: 1MB, max_bytes_required: true }, \
                   users: [{ user: a, password: old }] } }\n";
    let nats = SecuredNats::with_settings(&stage.folder, limited).await;
    let url = format!("nats://a:old@{}", nats.address());
    let settings = [("NATS_URL", url.as_str()), ("NATS_JS_DOMAIN", "hub")];
    let _up = stage.up(&settings).await;
    let follow = ["ingest", "--movie", "603", "--follow"];
    let said = Said::by(&mut stage.command(&follow, &settings));
    assert!(said.succeeded(), "{}", said.text);
    let info = jetstream(&nats, "STREAM.INFO.MOVIES_EVENTS", &json!({})).await;
    assert_eq!(info["config"]["max_bytes"], json!(1_i64 << 28), "{info}");
    assert!(Said::by(&mut stage.command(&["topology", "--check"], &settings)).succeeded());
}

/// Streams that somebody made by hand, because the account demands a limit of each: they are taken
/// as they are.
#[tokio::test(flavor = "multi_thread")]
async fn N3_streams_made_by_hand_are_taken_as_they_are() {
    const LIMIT: i64 = 50_000_000;
    let stage = Stage::new("by-hand").await;
    let limited = "accounts { A { \
                   jetstream: { max_file: 1GB, max_mem: 1MB, max_bytes_required: true }, \
                   users: [{ user: a, password: old }] } }\n";
    let nats = SecuredNats::with_settings(&stage.folder, limited).await;
    let url = format!("nats://a:old@{}", nats.address());
    let settings = [("NATS_URL", url.as_str())];
    let mut names = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nats/streams");
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let mut stream: Value = serde_json::from_str(&text).unwrap();
        stream["max_bytes"] = json!(LIMIT);
        let name = stream["name"].as_str().unwrap().to_owned();
        let made = jetstream(&nats, &format!("STREAM.CREATE.{name}"), &stream).await;
        assert!(made.get("error").is_none(), "{name}: {made}");
        names.push(name);
    }
    let _up = stage.up(&settings).await;
    let said = Said::by(&mut stage.command(&["ingest", "--movie", "603"], &settings));
    assert!(said.succeeded(), "{}", said.text);
    stage.database.complete(603).await;
    for name in names {
        let there = jetstream(&nats, &format!("STREAM.INFO.{name}"), &json!({})).await;
        assert_eq!(there["config"]["max_bytes"], json!(LIMIT), "{name}: {there}");
    }
    assert!(Said::by(&mut stage.command(&["topology", "--check"], &settings)).succeeded());
}

/// Two installations in one account: each has its streams, its work and its events.
#[tokio::test(flavor = "multi_thread")]
async fn N1_two_installations_share_an_account() {
    let (one, two) = (Stage::new("namespace-one").await, Stage::new("namespace-two").await);
    let nats = SecuredNats::with_settings(&one.folder, PLAIN).await;
    let url = format!("nats://a:old@{}", nats.address());
    let of = |namespace| [("NATS_URL", url.as_str()), ("MANGOES_NAMESPACE", namespace)];
    let (settings_one, settings_two) = (of(""), of("two"));
    let (_up_one, _up_two) = (one.up(&settings_one).await, two.up(&settings_two).await);
    let plain = tests::PlainNats::at(&url);
    plain.publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    plain.publish("two.movies.ingest.movie", br#"{"tmdb_id": 550}"#).await;
    one.database.complete(603).await;
    two.database.complete(550).await;
    assert_eq!(one.database.movie(550).complete().await, 0);
    assert_eq!(two.database.movie(603).complete().await, 0);
    let run = ["jobs", "run", "daily_refresh_enqueue", "--follow"];
    assert!(Said::by(&mut two.command(&run, &settings_two)).succeeded());
    two.database.all_published().await;
    let events = jetstream(&nats, "STREAM.INFO.two_MOVIES_EVENTS", &json!({})).await;
    let stored = events["state"]["messages"].as_i64().unwrap();
    assert_eq!(stored, two.database.events_for_the_app().await, "{events}");
    let jobs = plain.ask_json("two.movies.api.jobs.list", b"").await;
    assert!(jobs["jobs"].is_array(), "{jobs}");
    // With nothing but NATS, in the namespace too.
    let mut status = mangoes(&two.folder.0.join("none"));
    let said = Said::by(status.arg("status").envs(settings_two));
    assert!(said.succeeded() && said.text.contains("Fresh: "), "{}", said.text);
}
