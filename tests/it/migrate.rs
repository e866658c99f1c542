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
/// changed. Where the remedy is SQL, it runs as it is, and nothing is in the way afterwards.
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
        assert_eq!(app.apply_remedies().await, !oddity.needs_a_person(), "{oddity:?}");
        let plan = app.run(&["migrate", "--plan"]);
        assert_eq!(plan.succeeded(), !oddity.needs_a_person(), "{oddity:?}: {}", plan.text);
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
    // Looked at in batches of 5,000.
    const WORKS: i32 = 12_000;
    let server = Server::start("killed").await;
    let app = server.app("killed").await;
    assert!(app.run(&["migrate"]).succeeded());
    app.have_unseen_works(WORKS).await;
    let log = app.folder().join("migrate.log");
    let start = || start_migrate(&app, &log);
    let second_batch = app.hold_the_title_of(7_000).await;
    let mut first = start();
    let look = async || app.titles().await;
    app.eventually("the first batch is done", look, |n| *n == 5_000).await;
    first.kill();
    second_batch.release().await;
    assert!(app.titles().await < i64::from(WORKS), "it was killed before its end");
    let (mut second, mut third) = (start(), start());
    assert!(second.ended().await.success(), "{}", std::fs::read_to_string(&log).unwrap());
    assert!(third.ended().await.success(), "{}", std::fs::read_to_string(&log).unwrap());
    assert_eq!(app.titles().await, i64::from(WORKS));
    app.close().await;
    server.stop().await;
}

fn start_migrate(app: &AppDatabase, log: &std::path::Path) -> Process {
    Process::start(mangoes(app.folder()).arg("migrate").env("DATABASE_URL", app.url()), log)
}

/// While others hold the locks, a look gives up with a sentence, and a migration says whom it waits
/// for and goes on afterwards.
#[tokio::test]
async fn waits_for_locks_are_said() {
    let server = Server::start("locks").await;
    let app = server.app("locks").await;
    let lock = app.lock("public.works").await;
    let plan = app.run(&["migrate", "--plan"]);
    assert_eq!(plan.code, Some(1), "{}", plan.text);
    assert!(plan.errors.contains("public.works is locked by process"), "{}", plan.text);
    lock.release().await;
    let edit = app.begin_an_edit().await;
    let log = app.folder().join("migrate.log");
    let mut migrate = start_migrate(&app, &log);
    let look = async || std::fs::read_to_string(&log).unwrap_or_default();
    let names = |said: &String| said.contains("waits: public.works is locked by process");
    app.eventually("it says whom it waits for", look, names).await;
    edit.release().await;
    assert!(migrate.ended().await.success(), "{}", look().await);
    app.close().await;
    server.stop().await;
}

/// Tables of the app that vanish, or that another schema is named for, are said by every command
/// that would need them, and by those who look.
#[tokio::test]
async fn tables_that_are_not_there_any_more_are_named() {
    let server = Server::start("missing").await;
    let app = server.app("missing").await;
    assert!(app.run(&["migrate"]).succeeded());
    for args in [&["migrate", "--plan"][..], &["migrate"], &["doctor"], &["status"]] {
        let said = app.run_with_app_schema("elsewhere", args);
        assert_eq!(said.code, Some(1), "{args:?}: {}", said.text);
        let words = "tables are in schema public (MANGOES_APP_SCHEMA)";
        assert!(said.text.contains(words), "{args:?}: {}", said.text);
    }
    let said = app.run_with_app_schema("elsewhere", &["serve", "scheduler"]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    let sentence = "elsewhere.works is missing; this installation's tables are in schema public";
    assert!(said.errors.contains(sentence), "{}", said.text);
    app.lose_the_cards().await;
    for args in [&["migrate", "--plan"][..], &["doctor"], &["serve", "scheduler"]] {
        let said = app.run(args);
        assert_eq!(said.code, Some(1), "{args:?}: {}", said.text);
        let text = said.text.replace(": is", " is");
        assert!(text.contains("public.work_cards_cache is missing"), "{args:?}: {}", said.text);
    }
    app.close().await;
    server.stop().await;
}

/// A trigger that was dropped is made again, and works that came meanwhile are found; one that was
/// disabled is named with the SQL that enables it.
#[tokio::test]
async fn triggers_that_are_gone_are_made_again() {
    let server = Server::start("triggers").await;
    let app = server.app("triggers").await;
    let said = app.run(&["migrate"]);
    assert!(said.succeeded() && said.text.contains("made: schema mangoes with"), "{}", said.text);
    let said = app.run(&["migrate"]);
    assert!(said.succeeded() && said.text.contains("nothing to do"), "{}", said.text);
    app.lose_the_trigger("mangoes_works_added").await;
    app.have_works(3).await;
    assert_eq!(app.titles().await, 0, "nobody noticed");
    let doctor = app.run(&["doctor"]);
    assert!(doctor.text.contains("migrations are missing"), "{}", doctor.text);
    let said = app.run(&["migrate"]);
    assert!(said.text.contains("; triggers mangoes_works_added"), "{}", said.text);
    assert!(said.text.contains("looked at 3 works"), "{}", said.text);
    assert_eq!(app.titles().await, 3);
    app.disable_the_trigger("mangoes_works_edited").await;
    let remedy = "alter table public.works enable trigger mangoes_works_edited;";
    for args in [&["doctor"][..], &["migrate", "--plan"]] {
        let said = app.run(args);
        assert_eq!(said.code, Some(1), "{args:?}: {}", said.text);
        assert!(said.text.contains(remedy), "{args:?}: {}", said.text);
    }
    assert!(app.apply_remedies().await);
    assert!(app.run(&["doctor"]).succeeded());
    app.close().await;
    server.stop().await;
}

/// What is no obstacle, and what an owner should know all the same.
#[tokio::test]
async fn what_is_doubtful_is_good_to_know() {
    let server = Server::start("doubtful").await;
    let app = server.app("doubtful").await;
    app.be_doubtful().await;
    let plan = app.run(&["migrate", "--plan"]);
    assert!(plan.succeeded(), "{}", plan.text);
    for words in [
        "revoke create on schema public from public;",
        "alter table public.works alter column original_title type text;",
        "alter table public.refresh_queue alter constraint late initially immediate;",
        "is granted it by hand",
    ] {
        assert!(plan.text.contains(words), "{words}: {}", plan.text);
    }
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
    assert!(refused.text.contains("run `mangoes migrate` as mangoes_migrate"), "{}", refused.text);
    assert!(!refused.text.contains("grant trigger"), "it undoes the roles: {}", refused.text);
    assert!(!app.has_our_schema().await);
    let said = app.run_as_role("mangoes_migrate", &["migrate"]);
    assert!(said.succeeded(), "{}", said.text);
    assert_eq!(app.rights_of("anon").await, Vec::<String>::new());
    let rights = app.rights_of("mangoes_app").await;
    assert!(!rights.iter().any(|right| right.ends_with("truncate")), "{rights:?}");
    for role in ["mangoes_app", "mangoes_migrate"] {
        let doctor = app.run_as_role(role, &["doctor"]);
        assert!(doctor.succeeded(), "{role}: {}", doctor.text);
    }
    app.have_a_reader("somebody").await;
    let status = app.run_as_role("somebody", &["status"]);
    assert!(status.errors.contains("may only read the views"), "{}", status.text);
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
    // Of jobs that a role cannot see nobody says that there are none.
    app.have_roles().await;
    app.take_the_jobs_away_from("mangoes_app").await;
    assert!(app.run(&["migrate"]).succeeded());
    for (command, code) in [("status", 0), ("doctor", 0)] {
        let said = app.run_as_role("mangoes_app", &[command]);
        assert_eq!(said.code, Some(code), "{}", said.text);
        assert!(said.text.contains("cannot be seen by this role"), "{}", said.text);
    }
    app.have_roles().await;
    let said = app.run_as_role("mangoes_app", &["doctor"]);
    assert!(said.text.contains("select cron.unschedule('morning');"), "{}", said.text);
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
    let said = app.run(&["migrate", "--empty"]);
    assert!(said.code == Some(1) && said.errors.contains("has its first rows"), "{}", said.text);
    app.close().await;
    server.stop().await;
}
