//! Adopting the app's database: nobody waits, nothing of the app's changes, and what is in the way
//! is named before the first change.
//!
//! A6: no stall. A7: the log of calls. A10: what stands in it. S1: the old jobs. S2: rows. S6:
//! another program's migrations. S7: publications. S11 and S12: what migrate says.

#![expect(non_snake_case, reason = "a test is found by the id of the rule that it holds")]

use std::time::Duration;

use tests::{HostedApp, Login, World, simulator};

/// The longest that anybody may wait for `works` while it is adopted.
const STALL_MAX: Duration = Duration::from_secs(1);
/// Objects of the app's schema that adopting adds.
const ADDED: [&str; 3] = ["mangoes", "refresh_queue", "sync_state"];

/// What adopting changed of the app's, without what it adds under names that are known.
fn unexpected(changes: Vec<String>) -> Vec<String> {
    let is_ours = |line: &String| {
        line.starts_with("+ ")
            && (ADDED.iter().any(|name| line.contains(name)) || line.contains("get_stale_movies"))
    };
    changes.into_iter().filter(|line| !is_ours(line)).collect()
}

/// Twenty thousand movies, somebody who reads for as long as it takes, somebody whose edit takes
/// two seconds, and a hoster's limit on statements: nobody else waits for a second.
#[tokio::test(flavor = "multi_thread")]
async fn A6_nobody_waits_while_works_is_adopted() {
    let app = HostedApp::production("a6").await;
    app.add_movies(20_000).await;
    app.limit_statements_of(Login::Owner, "2s").await;
    let reader = app.reader().await;
    let writer = app.writer().await;
    let stalls = app.watch_stalls();
    let mut migrate = app.program(Login::Owner);
    migrate.arg("migrate");
    let migrate = tokio::task::spawn_blocking(move || tests::Said::by(&mut migrate));
    // The time is the fault: the edit takes so long.
    tokio::time::sleep(Duration::from_secs(2)).await;
    writer.end().await;
    let said = migrate.await.unwrap();
    let seen = stalls.seen().await;
    reader.end().await;
    assert!(said.succeeded(), "{}", said.text);
    assert_eq!(app.movies_or_titles_alone().await, 0);
    assert!(seen.looks > 50, "{seen:?}");
    assert!(seen.longest < STALL_MAX, "{seen:?}");
}

/// The app's log of calls stays where it is, with its rows, rights, views and membership; the app
/// writes it as before, and our calls stand in it in the app's shape.
#[tokio::test(flavor = "multi_thread")]
async fn A7_the_log_of_calls_stays_the_apps() {
    let app = HostedApp::production("a7").await;
    let before = app.state().await;
    let history = app.calls_about("apes").await.unwrap();
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    let changes = before.changes(&app.state().await);
    let of_the_log: Vec<_> = changes.iter().filter(|line| line.contains("tmdb_api_logs")).collect();
    assert!(of_the_log.is_empty(), "{of_the_log:?}");
    app.log_call("search-movies", "planet of the apes").await.unwrap();
    assert_eq!(app.calls_about("apes").await.unwrap(), history + 1);
    world.verb(&["refresh", "--movie", "603", "--follow"]);
    let ours = async || app.calls_logged_by("refresh").await;
    tests::eventually("our call is in the app's log", ours, |n| *n == 1).await;
    assert_eq!(app.calls_about("refresh").await.unwrap(), 1);
}

/// Views, functions and tables of the app that stood in the way of an earlier version stand in
/// nobody's, and work afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn A10_what_the_app_has_beside_its_catalogue_is_in_nobodys_way() {
    let app = HostedApp::production("a10").await;
    app.add_tables_with_our_names().await;
    let before = app.state().await;
    app.adopt();
    assert_eq!(unexpected(before.changes(&app.state().await)), Vec::<String>::new());
    let sim = simulator().await;
    sim.control().edit(603, serde_json::json!({"budget": 64_000_000}));
    let world = World::start_on(&app, &sim).await;
    world.verb(&["refresh", "--movie", "603", "--follow"]);
    assert_eq!(app.budget_in_view(603).await, Some(64_000_000));
    assert!(app.rows_of("stale_works").await > 0);
    for table in ["job", "outbox", "inbox", "title", "document", "installation"] {
        assert_eq!(app.rows_of(table).await, 1, "{table} is the app's");
    }
}

/// Two movies have one IMDb id, and nothing forbids it: both are adopted and refreshed.
#[tokio::test(flavor = "multi_thread")]
async fn A10_one_imdb_id_held_twice_is_in_nobodys_way() {
    let app = HostedApp::production("a10-twice").await;
    app.let_two_movies_have_one_imdb_id().await;
    app.adopt();
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    world.verb(&["refresh", "--movie", "603", "550", "--follow"]);
    assert_eq!(app.card(550).await.unwrap().card.title, "Fight Club");
}

/// Odd rows are adopted too, each with a row of ours; those that TMDB cannot know stop nothing.
#[tokio::test(flavor = "multi_thread")]
async fn A10_odd_rows_are_adopted_and_stop_nothing() {
    let app = HostedApp::repository("a10-odd").await;
    app.add_odd_rows().await;
    app.adopt();
    assert_eq!(app.movies_or_titles_alone().await, 0);
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    world.verb(&["status"]);
    for odd in [1_066, 1_067, 1_073, 1_075] {
        app.card(odd).await.unwrap();
    }
    assert!(app.card(603).await.unwrap().card.director.is_some());
}

/// An app whose tables are in a schema of another name.
#[tokio::test(flavor = "multi_thread")]
async fn A10_a_schema_of_another_name_is_adopted() {
    let mut app = HostedApp::production("a10-schema").await;
    app.move_to_schema("movies_app").await;
    app.adopt();
    let before = app.card(603).await.unwrap();
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    world.verb(&["refresh", "--movie", "603", "--follow"]);
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    world.verb(&["status"]);
    assert_ne!(app.card(603).await.unwrap().etag, before.etag);
    app.readers_pass("in another schema", &[603, 550, 27_205, 155, 13]).await;
    assert_eq!(app.ingestion_runs().await.unwrap().first().unwrap().ingested.len(), 30);
}

/// The old jobs go on beside ours until somebody stops them: the plan names each with the statement
/// that stops it, and status and doctor warn.
#[tokio::test(flavor = "multi_thread")]
async fn S1_old_jobs_that_are_active_are_named() {
    const OLD: [&str; 4] = [
        "scheduled_ingest_daily",
        "scheduled_ingest_weekly",
        "daily_refresh_enqueue",
        "refresh_worker",
    ];
    let app = HostedApp::production("s1").await;
    let before = app.state().await;
    let plan = app.migrate_with(Login::Owner, &["--plan"]);
    for job in OLD {
        assert!(plan.text.contains(&format!("cron.unschedule('{job}')")), "{job}: {}", plan.text);
    }
    assert!(!plan.text.contains("nightly_vacuum"), "{}", plan.text);
    assert!(!app.is_adopted().await, "a plan changes nothing");
    assert_eq!(before.changes(&app.state().await), Vec::<String>::new());
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    for verb in ["status", "doctor"] {
        let said = world.try_verb(&[verb]).text;
        assert!(said.contains("refresh_worker") && said.contains("cron"), "{verb}: {said}");
    }
}

/// Adopting writes no row of the app's, moves none, and adds nothing but what it says.
#[tokio::test]
async fn S2_adopting_changes_no_row_and_no_object_of_the_app() {
    for app in [HostedApp::production("s2").await, HostedApp::repository("s2-r").await] {
        app.add_odd_rows().await;
        let before = app.state().await;
        app.adopt();
        let once = app.state().await;
        assert_eq!(unexpected(before.changes(&once)), Vec::<String>::new());
        app.adopt();
        assert_eq!(once.changes(&app.state().await), Vec::<String>::new(), "the second time");
    }
}

/// Whoever leaves again finds everything as it was, beside the tables that were made for it.
#[tokio::test]
async fn S2_leaving_again_leaves_nothing_behind() {
    let app = HostedApp::production("s2-leave").await;
    let before = app.state().await;
    app.adopt();
    app.leave().await;
    let left = before.changes(&app.state().await);
    let made = ["refresh_queue", "sync_state"];
    let others = left.iter().filter(|line| !made.iter().any(|name| line.contains(name)));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Another program's list of migrations is read by nobody.
#[tokio::test]
async fn S6_migrations_of_another_program_do_not_matter() {
    let app = HostedApp::production("s6").await;
    app.add_migrations_of_another_program().await;
    app.adopt();
    assert!(app.is_adopted().await, "it did nothing and said it did");
    assert_eq!(app.rows_of("_sqlx_migrations").await, 2);
}

/// A publication of all tables refuses edits of a table without a key: ours have one, and the app's
/// saves go on.
#[tokio::test(flavor = "multi_thread")]
async fn P1_S7_a_publication_of_all_tables_refuses_nothing() {
    let app = HostedApp::production("s7").await;
    app.adopt();
    assert_eq!(app.tables_of_ours_without_a_key().await, Vec::<String>::new());
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    world.verb(&["jobs", "run", "maintenance", "--follow"]);
    world.all_published().await;
    assert!(!world.log().contains("replica identity"), "{}", world.log());
}

/// A role that may not make a schema is told what it lacks; nothing is half done.
#[tokio::test]
async fn S11_a_migration_that_cannot_be_done_says_what_is_missing() {
    let app = HostedApp::production("s11").await;
    let before = app.state().await;
    let said = app.migrate_with(Login::Guest, &[]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    let names = said.errors.contains("mangoes") || said.errors.contains("create");
    assert!(names && said.errors.contains("app_guest"), "{}", said.text);
    assert!(said.errors.contains("grant"), "no remedy: {}", said.text);
    assert!(!app.is_adopted().await);
    assert_eq!(before.changes(&app.state().await), Vec::<String>::new());
}

/// What is there already is no news.
#[tokio::test]
async fn S12_migrate_says_little() {
    let app = HostedApp::production("s12").await;
    for round in ["first", "second"] {
        let said = app.migrate();
        assert!(said.succeeded(), "{round}: {}", said.text);
        assert!(!said.text.contains("already exists"), "{round}: {}", said.text);
        assert!(said.text.lines().count() <= 20, "{round}: {}", said.text);
    }
}

/// An edit of the policy moves twenty thousand due times, and nobody who writes movies waits for
/// it.
#[tokio::test(flavor = "multi_thread")]
async fn A6_nobody_waits_while_an_edit_of_the_policy_is_applied() {
    let app = HostedApp::production("a6-policy").await;
    app.add_movies(20_000).await;
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    assert!(app.due_later_than_days(1).await > 20_000);
    let stalls = app.watch_stalls();
    world.let_everything_be_stale_after_a_day().await;
    let left = async || app.due_later_than_days(1).await;
    world.eventually("every due time follows", left, |n| *n == 0).await;
    let seen = stalls.seen().await;
    assert!(seen.looks > 20 && seen.longest < STALL_MAX, "{seen:?}");
}

/// Members of the owner's role adopt as the owner does.
#[tokio::test]
async fn A6_a_member_of_the_owners_role_can_adopt() {
    let app = HostedApp::production("member").await;
    for round in ["first", "second"] {
        let said = app.migrate_with(Login::Member, &[]);
        assert!(said.succeeded(), "{round}: {}", said.text);
    }
    assert_eq!(app.movies_or_titles_alone().await, 0);
}
