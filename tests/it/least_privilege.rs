//! A NATS where every program has a user of its own (`nats/users.conf`): what each needs works, and
//! what it does not need is refused.

use std::process::Command;

use embedded::Postgres;
use serde_json::json;
use tests::{Database, Folder, Process, SecuredNats, mangoes, postgres, simulator};
use tmdb_sim::Sim;

/// Each service in a process of its own, under its own user.
const SERVICES: [&str; 4] = ["scheduler", "ingest", "staleness-scanner", "refresh"];

/// Servers, and the four services on them.
struct Stage {
    folder: Folder,
    nats: SecuredNats,
    postgres: Postgres,
    database: Database,
    sim: Sim,
    services: Vec<Process>,
}

impl Stage {
    async fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let (nats, postgres, sim) =
            (SecuredNats::with_users(&folder).await, postgres(&folder).await, simulator().await);
        let log = folder.0.join("log");
        let database = Database::connect(&postgres.database_url(), &log).await;
        let mut stage = Self { folder, nats, postgres, database, sim, services: Vec::new() };
        let migrated = stage.command("setup", &["migrate"]).output().unwrap();
        assert!(migrated.status.success(), "{migrated:?}");
        // Streams are made by the user that may do so, before anything else.
        let made = stage.command("setup", &["topology"]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        stage.services = SERVICES
            .map(|service| Process::start(&mut stage.command(service, &["serve", service]), &log))
            .into();
        stage
    }

    fn command(&self, user: &str, args: &[&str]) -> Command {
        let mut command = mangoes(&self.folder.0);
        command
            .args(args)
            .env("NATS_URL", self.nats.url(user))
            .env("DATABASE_URL", self.postgres.database_url())
            .env("TMDB_BASE_URL", self.sim.base_url())
            .env("TMDB_TOKEN", tests::CREDENTIAL);
        command
    }

    /// A command of somebody who knows nothing but the address of NATS.
    fn by_nats(&self, user: &str, args: &[&str]) -> String {
        let mut command = mangoes(&self.folder.0);
        let said = tests::Said::by(command.args(args).env("NATS_URL", self.nats.url(user)));
        assert!(said.succeeded(), "mangoes {args:?} as {user}: {}", said.text);
        said.text
    }

    fn log(&self) -> String {
        self.folder.read("log")
    }
}

/// The main flow with a user for each program: movies by a publisher, jobs by an operator with
/// nothing but NATS, events for a subscriber. After a loss of the streams the one service that may
/// make them does so, and the others go on.
#[tokio::test(flavor = "multi_thread")]
async fn each_user_can_do_its_work() {
    let mut stage = Stage::new("least-privilege").await;
    stage.nats.plain("publisher").publish("movies.ingest.movie", br#"{"tmdb_id": 603}"#).await;
    stage.database.complete(603).await;
    stage.by_nats("operator", &["ingest", "--movie", "550", "--follow"]);
    let list = ["ingest", "--list", "popular", "--max", "5", "--follow"];
    stage.by_nats("operator", &list);
    stage.by_nats("operator", &["refresh", "--movie", "603", "550", "--follow"]);
    stage.by_nats("operator", &["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    stage.by_nats("operator", &["jobs", "pause", "refresh_worker", "--note", "for a while"]);
    let audited = stage.database.audit().by("operator (nats)").about("refresh_worker");
    assert_eq!(audited.await, 1, "the audit names the user of NATS");
    for reading in [
        &["jobs", "list"][..],
        &["jobs", "show", "refresh_worker"],
        &["jobs", "next", "refresh_worker"],
        &["jobs", "runs"],
        &["jobs", "lint"],
        &["movie", "show", "603"],
        &["movie", "history", "603"],
        &["dead", "list"],
        &["status"],
    ] {
        assert!(!stage.by_nats("operator", reading).is_empty(), "{reading:?}");
    }
    let subscriber = stage.nats.plain("subscriber");
    let page = subscriber.ask_json("movies.api.movie.cards", br#"{"limit": 2}"#).await;
    assert_eq!(page["cards"].as_array().unwrap().len(), 2, "{page}");
    assert!(page["next"].is_i64() && page["cards"][0]["card"]["tmdb_id"].is_i64(), "{page}");
    let consumer = json!({
        "stream_name": "MOVIES_EVENTS",
        "config": {"durable_name": "index", "ack_policy": "explicit", "deliver_policy": "all"},
    });
    let create = "MANGOES.API.CONSUMER.DURABLE.CREATE.MOVIES_EVENTS.index";
    let made = subscriber.ask_json(create, consumer.to_string().as_bytes()).await;
    assert!(made["num_pending"].as_i64().is_some_and(|events| events >= 4), "{made}");

    for (name, mut example) in crate::examples::runnable(&stage.folder) {
        example.env("NATS_URL", stage.nats.url("subscriber")).arg("--once");
        example.env("NATS_INBOX_PREFIX", "_INBOX.subscriber");
        example.env("NATS_JS_API_PREFIX", "MANGOES.API");
        example.env("INDEX", stage.folder.0.join(format!("index-{name}")));
        let said = tests::Said::by(&mut example);
        assert!(said.succeeded() && said.text.contains(" movies, "), "{name}: {}", said.text);
    }

    stage.nats.lose_store().await;
    stage.nats.plain("publisher").publish("movies.ingest.movie", br#"{"tmdb_id": 13}"#).await;
    let again = async || {
        stage.nats.plain("publisher").publish("movies.ingest.movie", br#"{"tmdb_id": 13}"#).await;
        stage.database.movie(13).complete().await
    };
    tests::eventually("work goes on after the loss of all streams", again, |n| *n == 1).await;
    let refused = stage.log().lines().filter(|line| line.contains("Permissions Violation")).count();
    // Services that may not make streams try to, until one that may has done so.
    println!("refused while streams were missing: {refused}");
}

/// What a user must not do, and what it needs beside it: a permission that is missing everywhere
/// proves nothing.
struct Row {
    user: &'static str,
    publishes: &'static [&'static str],
    refused: &'static [&'static str],
    hears: &'static [&'static str],
    deaf: &'static [&'static str],
}

const ROWS: [Row; 5] = [
    Row {
        user: "ingest",
        publishes: &["movies.refreshed.1", "$JS.API.CONSUMER.MSG.NEXT.MOVIES_INGEST.ingest-movie"],
        refused: &[
            "$JS.API.CONSUMER.MSG.NEXT.MOVIES_STALE.refresh-now",
            "$JS.API.STREAM.MSG.GET.MOVIES_DEAD",
            "$JS.API.STREAM.CREATE.MOVIES_EVENTS",
            "$JS.API.STREAM.DELETE.MOVIES_EVENTS",
            "$JS.API.STREAM.PURGE.MOVIES_INGEST",
            "$JS.API.CONSUMER.CREATE.MOVIES_INGEST.thief",
            "$JS.ACK.MOVIES_STALE.refresh-now.1.1.1.1.1",
            "movies.api.jobs.hold",
            "movies.api.as.operator.jobs.hold",
        ],
        hears: &["_INBOX.ingest.x", "movies.api.jobs.list"],
        deaf: &["_INBOX.>", "_INBOX.operator.x", "movies.dead.*", ">"],
    },
    Row {
        user: "publisher",
        publishes: &["movies.ingest.movie", "movies.ingest.list", "movies.stale.now"],
        refused: &[
            "movies.refreshed.603",
            "movies.changed.603",
            "movies.run.refresh_worker",
            "movies.dead.refresh-now",
            "movies.tick.refresh.refresh_worker",
            "movies.stale.bulk",
            "movies.api.jobs.hold",
            "movies.api.as.operator.jobs.pause",
            "$JS.API.STREAM.PURGE.MOVIES_STALE",
            "$JS.API.CONSUMER.CREATE.MOVIES_INGEST.spy",
            "$JS.API.STREAM.INFO.MOVIES_DEAD",
        ],
        hears: &["_INBOX.publisher.x"],
        deaf: &["movies.changed.*", "_INBOX.subscriber.x", "movies.dead.*"],
    },
    Row {
        user: "subscriber",
        publishes: &[
            "MANGOES.API.CONSUMER.CREATE.MOVIES_EVENTS.index",
            "MANGOES.API.CONSUMER.MSG.NEXT.MOVIES_EVENTS.index",
            "movies.api.movie.cards",
        ],
        refused: &[
            "movies.ingest.movie",
            "movies.changed.603",
            "movies.api.jobs.run",
            "movies.api.jobs.hold",
            "movies.api.dead.list",
            "$JS.API.STREAM.MSG.GET.MOVIES_DEAD",
            "$JS.API.CONSUMER.CREATE.MOVIES_DEAD.spy",
            "$JS.API.CONSUMER.CREATE.MOVIES_STALE.thief",
            "$JS.API.CONSUMER.DELETE.MOVIES_STALE.refresh-now",
            "$JS.API.STREAM.PURGE.MOVIES_EVENTS",
            "$JS.API.STREAM.DELETE.MOVIES_EVENTS",
            "$JS.API.STREAM.UPDATE.MOVIES_EVENTS",
        ],
        hears: &["movies.changed.*", "movies.refreshed.*", "movies.run.*"],
        deaf: &["movies.dead.*", "movies.tick.*.*", "movies.api.>", "_INBOX.operator.x"],
    },
    Row {
        user: "operator",
        publishes: &[
            "movies.api.as.operator.jobs.hold",
            "movies.api.jobs.list",
            "movies.ingest.movie",
            "$JS.API.CONSUMER.PAUSE.MOVIES_STALE.refresh-now",
        ],
        refused: &[
            "movies.api.jobs.hold",
            "movies.api.as.ann.jobs.hold",
            "movies.refreshed.603",
            "movies.tick.refresh.refresh_worker",
            "$JS.API.STREAM.PURGE.MOVIES_STALE",
            "$JS.API.STREAM.DELETE.MOVIES_STALE",
            "$JS.ACK.MOVIES_STALE.refresh-now.1.1.1.1.1",
            "$JS.API.CONSUMER.CREATE.MOVIES_STALE.thief",
        ],
        hears: &["movies.dead.*", "_INBOX.>", "movies.changed.*"],
        deaf: &["_INBOX.scheduler.x", "_INBOX.ingest.>", ">"],
    },
    Row {
        user: "setup",
        publishes: &["$JS.API.STREAM.CREATE.MOVIES_EVENTS", "$JS.API.STREAM.INFO.MOVIES_DEAD"],
        refused: &[
            "movies.ingest.movie",
            "movies.refreshed.603",
            "movies.api.jobs.hold",
            "$JS.API.STREAM.DELETE.MOVIES_EVENTS",
            "$JS.API.STREAM.MSG.GET.MOVIES_DEAD",
            "$JS.API.CONSUMER.MSG.NEXT.MOVIES_STALE.refresh-now",
        ],
        hears: &["_INBOX.setup.x"],
        deaf: &["movies.changed.*", "movies.dead.*"],
    },
];

/// The table of users and what each may do; printed by the test.
#[tokio::test]
async fn what_a_user_does_not_need_is_refused() {
    let folder = Folder::new("refused");
    let nats = SecuredNats::with_users(&folder).await;
    let mut refusals = 0;
    for row in &ROWS {
        let user = nats.plain(row.user);
        for (subjects, expected) in [(row.publishes, true), (row.refused, false)] {
            for subject in subjects {
                assert_eq!(user.may_publish(subject).await, expected, "{} PUB {subject}", row.user);
            }
        }
        for (subjects, expected) in [(row.hears, true), (row.deaf, false)] {
            for subject in subjects {
                let may = user.may_subscribe(subject).await;
                assert_eq!(may, expected, "{} SUB {subject}", row.user);
            }
        }
        let (works, refused) =
            (row.publishes.len() + row.hears.len(), row.refused.len() + row.deaf.len());
        println!("{:<12} {works} work, {refused} are refused", row.user);
        refusals += refused;
    }
    // A user may have the server answer anywhere in its account: those of others have one of their
    // own, where no stream is.
    let operator = nats.plain("operator");
    let setup = nats.plain("setup");
    let made = json!({"name": "MOVIES_EVENTS", "subjects": ["movies.changed.*"]});
    let create = "$JS.API.STREAM.CREATE.MOVIES_EVENTS";
    setup.ask_json(create, made.to_string().as_bytes()).await;
    let made = json!({"name": "MOVIES_INGEST", "subjects": ["movies.ingest.movie"]});
    let create = "$JS.API.STREAM.CREATE.MOVIES_INGEST";
    setup.ask_json(create, made.to_string().as_bytes()).await;
    for (user, asked, aimed_at) in [
        ("subscriber", "MANGOES.API.STREAM.INFO.MOVIES_EVENTS", "movies.changed.603"),
        (
            "subscriber",
            "MANGOES.API.DIRECT.GET.MOVIES_EVENTS",
            "$JS.API.STREAM.DELETE.MOVIES_INGEST",
        ),
        ("publisher", "movies.ingest.movie", "movies.changed.603"),
        ("publisher", "movies.ingest.movie", "$JS.API.STREAM.DELETE.MOVIES_EVENTS"),
    ] {
        nats.plain(user).publish_for(asked, aimed_at, b"{}").await;
    }
    let info =
        async |stream: &str| setup.ask_json(&format!("$JS.API.STREAM.INFO.{stream}"), b"").await;
    assert_eq!(info("MOVIES_EVENTS").await["state"]["messages"], 0, "no event is forged");
    let stored = async || info("MOVIES_INGEST").await["state"]["messages"].as_i64();
    tests::eventually("what is asked by hand is stored", stored, |n| *n == Some(2)).await;
    assert!(operator.may_overhear("_INBOX.of-nats").await, "the client nats needs no option");
    for inbox in ["_INBOX.ingest.x", "_INBOX.setup.x"] {
        assert!(!operator.may_overhear(inbox).await, "{inbox}");
    }
    assert!(refusals >= 30, "{refusals}");
    assert!(nats.users().len() >= 9, "{:?}", nats.users());
}
