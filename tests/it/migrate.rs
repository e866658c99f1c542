//! `mangoes migrate` on databases of an app: what stands in its way is said before anything is
//! changed; what does not, is left alone; who may do what afterwards.

use embedded::Postgres;
use tests::{AppDatabase, Folder, Oddity, Process, mangoes, postgres, superuser};

/// A server that several databases share.
struct Server {
    folder: Folder,
    postgres: Postgres,
    superuser: String,
}

impl Server {
    async fn start(name: &str) -> Self {
        let folder = Folder::new(name);
        let postgres = postgres(&folder).await;
        let superuser = superuser(&postgres).await;
        Self { folder, postgres, superuser }
    }

    async fn app(&self, name: &str) -> AppDatabase {
        AppDatabase::make(&self.superuser, &self.folder, name).await
    }

    async fn stop(self) {
        self.postgres.stop().await.unwrap();
    }
}

/// Each thing in the way is named with its remedy, by --plan and by migrate, and nothing is
/// changed.
#[tokio::test]
async fn what_stands_in_the_way_is_said_before_anything_is_changed() {
    let server = Server::start("in-the-way").await;
    for (number, oddity) in Oddity::ALL.into_iter().enumerate() {
        let app = server.app(&format!("odd{number}")).await;
        app.be_odd(oddity).await;
        for args in [&["migrate", "--plan"][..], &["migrate"]] {
            let said = app.run(args);
            assert_eq!(said.code, Some(1), "{oddity:?} {args:?}: {}", said.text);
            for words in [oddity.object(), oddity.remedy()] {
                assert!(said.text.contains(words), "{oddity:?} {args:?}: {words}: {}", said.text);
            }
        }
        assert!(!app.has_our_schema().await, "{oddity:?}");
        app.close().await;
    }
    server.stop().await;
}

/// Names and shapes of the app's own stand in nobody's way; the plan warns of rows that will never
/// be refreshed, says what it would make, and afterwards that there is nothing to do.
#[tokio::test]
async fn what_the_app_has_of_its_own_stays() {
    let server = Server::start("of-its-own").await;
    let app = server.app("own").await;
    app.be_an_app_of_its_own().await;
    let plan = app.run(&["migrate", "--plan"]);
    assert!(plan.succeeded(), "{}", plan.text);
    for words in [
        "schema mangoes with",
        "triggers mangoes_works_added",
        "share row exclusive",
        "public.sync_state.sync_type: is missing",
        "no calendar can tell in 1 row",
        "no number of TMDB in 1 row",
    ] {
        assert!(plan.text.contains(words), "{words}: {}", plan.text);
    }
    assert!(!app.has_our_schema().await, "a plan changes nothing");
    for round in ["first", "second"] {
        let said = app.run(&["migrate"]);
        assert!(said.succeeded(), "{round}: {}", said.text);
        assert_eq!(said.errors, "", "it is quiet");
    }
    assert!(app.has_its_own_views().await);
    assert_eq!(app.titles().await, 2);
    let plan = app.run(&["migrate", "--plan"]);
    assert!(plan.succeeded() && plan.text.contains("nothing to do"), "{}", plan.text);
    let json: serde_json::Value =
        serde_json::from_str(&app.run(&["migrate", "--plan", "--json"]).text).unwrap();
    assert_eq!(json["is_migrated"], true);
    assert_eq!(json["in_the_way"], serde_json::json!([]));
    app.close().await;
    server.stop().await;
}

/// A migrate that is killed goes on where it was; two at once do the work once.
#[tokio::test]
async fn a_killed_migration_goes_on() {
    const WORKS: i32 = 60_000;
    let server = Server::start("killed").await;
    let app = server.app("killed").await;
    app.have_works(WORKS).await;
    let log = app.folder().join("migrate.log");
    let start = || {
        let mut command = mangoes(app.folder());
        Process::start(command.arg("migrate").env("DATABASE_URL", app.url()), &log)
    };
    let mut first = start();
    let look = async || app.titles().await;
    app.eventually("some works have their rows", look, |n| *n > 0).await;
    first.kill();
    assert!(app.titles().await < i64::from(WORKS), "it was killed before its end");
    let (mut second, mut third) = (start(), start());
    assert!(second.ended().await.success(), "{}", std::fs::read_to_string(&log).unwrap());
    assert!(third.ended().await.success(), "{}", std::fs::read_to_string(&log).unwrap());
    assert_eq!(app.titles().await, i64::from(WORKS));
    app.close().await;
    server.stop().await;
}

/// The roles of roles.sql: one migrates, one works without any right to make things, and nobody
/// else has any right, whatever the database grants by default.
#[tokio::test]
async fn each_role_may_do_its_part() {
    let server = Server::start("roles").await;
    let app = server.app("roles").await;
    app.lose_the_cards().await;
    app.have_roles().await;
    let refused = app.run_as_role("mangoes_app", &["serve", "scheduler"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.text.contains("as a role that may make tables"), "{}", refused.text);
    let refused = app.run_as_role("anon", &["migrate"]);
    assert_eq!(refused.code, Some(1), "{}", refused.text);
    let granting = "grant trigger on public.works to anon;";
    assert!(refused.text.contains(granting), "{}", refused.text);
    assert!(!app.has_our_schema().await);
    let said = app.run_as_role("mangoes_migrate", &["migrate"]);
    assert!(said.succeeded(), "{}", said.text);
    assert_eq!(app.rights_of("anon").await, Vec::<String>::new());
    let rights = app.rights_of("mangoes_app").await;
    assert!(!rights.iter().any(|right| right.ends_with("truncate")), "{rights:?}");
    let doctor = app.run_as_role("mangoes_app", &["doctor"]);
    assert!(doctor.succeeded(), "{}", doctor.text);
    let granted = app.run_as_role("mangoes_migrate", &["migrate", "--grant-reader", "anon"]);
    assert!(granted.succeeded(), "{}", granted.text);
    let rights = app.rights_of("anon").await;
    assert!(rights.contains(&"mangoes.job_status: select".to_owned()), "{rights:?}");
    assert!(!rights.iter().any(|r| r.starts_with("mangoes.outbox")), "{rights:?}");
    let nobody = app.run_as_role("mangoes_migrate", &["migrate", "--grant-reader", "nobody_knows"]);
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.text.contains("there is no role nobody_knows"), "{}", nobody.text);
    app.close().await;
    server.stop().await;
}

/// A role that cannot write what it has to is refused at the start, with table and remedy.
#[tokio::test]
async fn a_role_that_cannot_write_does_not_start() {
    let server = Server::start("cannot-write").await;
    let app = server.app("cannot").await;
    app.have_roles().await;
    assert!(app.run(&["migrate"]).succeeded());
    app.let_nobody_write_works().await;
    let serve = |words: &str| {
        let said = app.run_as_role("mangoes_app", &["serve", "scheduler"]);
        assert_eq!(said.code, Some(1), "{}", said.text);
        assert!(said.text.contains(words), "{words}: {}", said.text);
    };
    serve("table public.works cannot be written: row security");
    app.let_the_services_write_works().await;
    app.revoke("update", "public.aggregates", "mangoes_app").await;
    serve("grant update on public.aggregates to mangoes_app;");
    let doctor = app.run_as_role("mangoes_app", &["doctor"]);
    assert_eq!(doctor.code, Some(1), "{}", doctor.text);
    assert!(doctor.text.contains("grant update on public.aggregates"), "{}", doctor.text);
    app.close().await;
    server.stop().await;
}

/// Jobs of pg_cron that do what ours do are named with the SQL that stops them.
#[tokio::test]
async fn old_jobs_are_named_while_they_are_active() {
    let server = Server::start("old-jobs").await;
    let app = server.app("old_jobs").await;
    app.have_old_jobs().await;
    assert!(app.run(&["migrate"]).text.contains("select cron.unschedule('morning');"));
    for (command, code) in [("status", 0), ("doctor", 1)] {
        for args in [&[command][..], &[command, "--json"]] {
            let said = app.run(args);
            assert_eq!(said.code, Some(code), "{}", said.text);
            assert!(said.text.contains("select cron.unschedule('morning');"), "{}", said.text);
            assert!(!said.text.contains("vacuum"), "{}", said.text);
            assert!(!said.text.contains("refresh_worker'"), "{}", said.text);
        }
    }
    app.close().await;
    server.stop().await;
}

/// Without its first rows a database says what it waits for.
#[tokio::test]
async fn a_database_for_a_dump_waits_for_its_rows() {
    let server = Server::start("for-a-dump").await;
    let app = server.app("empty").await;
    assert!(app.run(&["migrate", "--empty"]).succeeded());
    assert_eq!(app.installations().await, 0);
    let said = app.run(&["serve", "scheduler"]);
    assert_eq!(said.code, Some(1));
    assert!(said.text.contains("no first rows: restore the rows of its dump"), "{}", said.text);
    assert!(app.run(&["migrate"]).succeeded());
    assert_eq!(app.installations().await, 1);
    app.close().await;
    server.stop().await;
}
