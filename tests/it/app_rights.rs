//! Who may do what in an adopted database: the app's roles, and ours.
//!
//! A3: what is ours is nobody else's. A4: row security that keeps us from writing is found out. A5
//! and A12: what the app may do needs no new right, and no search path.

#![expect(non_snake_case, reason = "a test is found by the id of the rule that it holds")]

use std::time::Duration;

use serde_json::json;
use tests::{
    Deeds, Folder, HostedApp, Login, Process, Wait, World, Writer, http_get, servers, simulator,
};

/// So long a start may take that finds out that it cannot work.
const START_LIMIT: Duration = Duration::from_secs(20);
/// The roles of the HTTP interface.
const INTERFACE: [&str; 3] = ["anon", "authenticated", "service_role"];

/// Fails unless this role is refused whatever it tries with what is ours.
async fn refused(app: &HostedApp, role: &str) {
    let tried = app.try_everything_as(role).await;
    tried.all_refused(role);
    assert!(tried.refused > 100, "{role} tried only {}", tried.refused);
    let rights = app.rights_on_ours(role).await;
    assert!(rights.is_empty(), "{role} holds:\n  {}", rights.join("\n  "));
}

/// Every statement on every object of ours, and more by hand; and the app's tables look to each
/// role as they did.
#[tokio::test]
async fn A3_the_interface_is_refused_everything_of_ours() {
    let app = HostedApp::production("a3").await;
    let mut before = Vec::new();
    for role in INTERFACE {
        before.push(app.seen_as(role).await);
    }
    app.adopt();
    for (role, before) in INTERFACE.into_iter().zip(before) {
        refused(&app, role).await;
        app.try_tables_made_for_the_app_as(role).await.all_refused(role);
        assert_eq!(app.seen_as(role).await, before, "{role}");
    }
    for login in [Login::Guest, Login::Trusted] {
        let rights = app.rights_on_ours(login.role()).await;
        assert!(rights.is_empty(), "{login:?} holds:\n  {}", rights.join("\n  "));
    }
}

/// Default rights on whatever the owner makes, in any schema, reach nothing of ours.
#[tokio::test(flavor = "multi_thread")]
async fn P2_A3_default_grants_of_every_schema_reach_nothing_of_ours() {
    let app = HostedApp::production("a3-defaults").await;
    app.grant_everything_by_default().await;
    app.adopt();
    for role in INTERFACE {
        refused(&app, role).await;
        app.try_tables_made_for_the_app_as(role).await.all_refused(role);
    }
    assert_eq!(app.functions_of_ours_without_a_path().await, Vec::<String>::new());
    // Nor what the services make later: a table for each day's calls.
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    world.verb(&["jobs", "run", "maintenance", "--follow"]);
    world.verb(&["refresh", "--movie", "603", "--follow"]);
    refused(&app, "anon").await;
}

/// The app's queue of the repository's form belongs to the app: its rights stay as they are.
#[tokio::test]
async fn A3_tables_that_the_app_has_keep_their_rights() {
    let app = HostedApp::repository("a3-kept").await;
    let before = app.rights_on_ours("anon").await;
    assert!(before.iter().any(|right| right.contains("refresh_queue")), "{before:?}");
    app.adopt();
    assert_eq!(app.rights_on_ours("anon").await, before);
}

/// Our own roles: one migrates, one works, one reads, and each is refused what the others are for.
#[tokio::test(flavor = "multi_thread")]
async fn A3_each_role_of_ours_may_do_its_part_and_no_more() {
    let app = HostedApp::production("a3-roles").await;
    app.make_roles_of_ours(Login::Superuser).await;
    let said = app.migrate_with(Login::Migrate, &[]);
    assert!(said.succeeded(), "{}", said.text);
    let sim = simulator().await;
    let world = World::start_as(&app, Login::Services, &sim).await;
    world.verb(&["jobs", "run", "scheduled_ingest_daily", "--follow"]);
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    world.verb(&["jobs", "run", "maintenance", "--follow"]);
    app.readers_pass("as mangoes_app", &[603, 550, 27_205, 155, 13]).await;
    assert_eq!(app.movies_or_titles_alone().await, 0);
    refused(&app, "anon").await;
    for (login, deeds) in [
        (Login::Migrate, Deeds::Build),
        (Login::Services, Deeds::Look),
        (Login::Services, Deeds::LookInside),
        (Login::Services, Deeds::Steer),
        (Login::Services, Deeds::Work),
        (Login::Services, Deeds::WriteCatalogue),
        (Login::Reader, Deeds::Look),
    ] {
        app.try_as_login(login, deeds).await.all_done(&format!("{login:?} {deeds:?}"));
    }
    for (login, deeds) in [
        (Login::Migrate, Deeds::WriteCatalogue),
        (Login::Migrate, Deeds::Meddle),
        (Login::Services, Deeds::Build),
        (Login::Services, Deeds::Meddle),
        (Login::Reader, Deeds::LookInside),
        (Login::Reader, Deeds::Steer),
        (Login::Reader, Deeds::Work),
        (Login::Reader, Deeds::WriteCatalogue),
        (Login::Reader, Deeds::Build),
        (Login::Reader, Deeds::Meddle),
    ] {
        app.try_as_login(login, deeds).await.all_refused(&format!("{login:?} {deeds:?}"));
    }
}

/// An owner who is no superuser makes the roles, and cannot spare them row security before Postgres
/// 16: the services say which policy they need, and work when they have it.
#[tokio::test(flavor = "multi_thread")]
async fn A3_an_owner_makes_the_roles_and_policies_let_them_work() {
    let app = HostedApp::production("a3-owner").await;
    app.make_roles_of_ours(Login::Owner).await;
    app.forget_bypassrls_of_ours().await;
    let said = app.migrate_with(Login::Migrate, &[]);
    assert!(said.succeeded(), "{}", said.text);
    names_works_and_a_remedy(&services_as(&app, Login::Services).await);
    app.add_policies_of_ours().await;
    let sim = simulator().await;
    let world = World::start_as(&app, Login::Services, &sim).await;
    world.verb(&["jobs", "run", "daily_refresh_enqueue", "--follow"]);
    app.readers_pass("with policies", &[603, 550, 27_205, 155, 13]).await;
}

/// Starts the services as this login, and returns what they said when they ended by themselves.
async fn services_as(app: &HostedApp, login: Login) -> String {
    let folder = Folder::new(&format!("{}-nats", login.role()));
    let (servers, sim) = (servers(&folder).await, simulator().await);
    let log = folder.0.join("serve.log");
    let mut serve = app.program(login);
    serve
        .arg("serve")
        .env("NATS_URL", servers.nats_url())
        .env("TMDB_BASE_URL", sim.base_url())
        .env("TMDB_TOKEN", tests::CREDENTIAL);
    let mut serve = Process::start(&mut serve, &log);
    let end = Wait::within(START_LIMIT).showing(&log);
    let end = end.until("it ends by itself", async || serve.end(), Option::is_some).await;
    let said = folder.read("serve.log");
    assert_eq!(end.and_then(|status| status.code()), Some(1), "{said}");
    said
}

/// A role that may read `works` and may not write it stores nothing: it is told at the start, with
/// the table's name and the remedy.
#[tokio::test(flavor = "multi_thread")]
async fn A4_a_role_that_row_security_stops_is_told_at_the_start() {
    let app = HostedApp::production("a4").await;
    app.make_roles_of_ours(Login::Superuser).await;
    let said = app.migrate_with(Login::Migrate, &[]);
    assert!(said.succeeded(), "{}", said.text);
    app.let_services_run_as(Login::Guest).await;
    names_works_and_a_remedy(&services_as(&app, Login::Guest).await);
}

/// As above, for an owner to whom row security applies by force.
#[tokio::test(flavor = "multi_thread")]
async fn A4_an_owner_under_forced_row_security_is_told_at_the_start() {
    let app = HostedApp::production("a4-forced").await;
    app.adopt();
    app.force_row_security("works").await;
    names_works_and_a_remedy(&services_as(&app, Login::Owner).await);
}

/// Row security that comes while the services run: nothing counts as done that is not stored,
/// nobody says that all is well, and the work is done when it goes.
#[tokio::test(flavor = "multi_thread")]
async fn A4_row_security_that_comes_later_is_no_success() {
    let app = HostedApp::production("a4-later").await;
    let sim = simulator().await;
    sim.control().edit(603, json!({"title": "Renamed"}));
    let world = World::start_on(&app, &sim).await;
    app.force_row_security("works").await;
    world.stale(603).await;
    let listen = world.endpoint("listen").parse().unwrap();
    let ready = async || http_get(listen, "/readyz", "").await;
    let unready = |said: &Option<(u16, String)>| {
        said.as_ref().is_some_and(|(status, text)| *status == 503 && text.contains("works"))
    };
    world.eventually("it says that it does no work", ready, unready).await;
    let refused = |log: &String| log.contains("table works hides rows from this role");
    world.eventually("the refresh is refused", async || world.log(), refused).await;
    assert_eq!(world.events("movies.refreshed.603").await, 0);
    assert_eq!(world.dead_letters().await, 0);
    app.relax_row_security("works").await;
    world.events("movies.refreshed.603").published().becomes(1).await;
    assert_eq!(app.card(603).await.unwrap().card.title, "Renamed");
}

fn names_works_and_a_remedy(said: &str) {
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    assert!(last.contains("works") && last.contains("row security"), "{said}");
    let remedies = ["owner", "BYPASSRLS", "bypassrls", "policy"];
    assert!(remedies.iter().any(|word| last.contains(word)), "no remedy: {last}");
    assert!(!said.contains("panicked"), "{said}");
}

/// Whoever could add, edit and delete works before still can, with no right on anything of ours,
/// and our row of the movie follows at once.
#[tokio::test]
async fn A5_the_app_needs_no_new_right_and_due_times_follow_at_once() {
    let app = HostedApp::production("a5").await;
    app.add_plain_writer().await;
    app.adopt();
    for (writer, id) in Writer::ALL.into_iter().zip(3_000_001..) {
        app.add_movie_as(writer, id).await.unwrap();
        let due = app.due_in_days(&id.to_string()).await.unwrap();
        assert!(due <= 0.0, "{writer:?}: never read is due now, not in {due} days");
        app.delete_movie_as(writer, id).await.unwrap();
        assert_eq!(app.due_in_days(&id.to_string()).await, None, "{writer:?}");
        edits_move_the_due_time(&app, writer).await;
    }
    assert_eq!(app.movies_or_titles_alone().await, 0);
}

/// The Matrix is read again thirty days after it was read; two days after, were it just out.
async fn edits_move_the_due_time(app: &HostedApp, writer: Writer) {
    app.set_released_days_ago_as(writer, 603, 9_000).await.unwrap();
    app.set_refreshed_days_ago_as(writer, 603, 1).await.unwrap();
    let due = app.due_in_days("603").await.unwrap();
    assert!((28.9..29.1).contains(&due), "{writer:?}: {due}");
    app.set_released_days_ago_as(writer, 603, 5).await.unwrap();
    let due = app.due_in_days("603").await.unwrap();
    assert!((0.9..1.1).contains(&due), "{writer:?}: {due}");
    app.set_refreshed_days_ago_as(writer, 603, 90).await.unwrap();
    let due = app.due_in_days("603").await.unwrap();
    assert!((-90.0..-50.0).contains(&due), "{writer:?}: {due}");
}

/// All movies go at once and others come under the same numbers: ours follow.
#[tokio::test]
async fn A5_a_truncated_catalogue_leaves_nothing_behind() {
    let app = HostedApp::production("a5-truncated").await;
    app.adopt();
    app.truncate_works().await;
    assert_eq!(app.titles().await, 0);
    app.add_movie_as(Writer::Service, 603).await.unwrap();
    assert!(app.due_in_days("603").await.is_some_and(|due| due <= 0.0), "it is new, and due");
    assert_eq!(app.movies_or_titles_alone().await, 0);
}

/// A function of the app that trusts no search path adds movies as before.
#[tokio::test]
async fn A12_a_function_with_an_empty_search_path_adds_movies() {
    let app = HostedApp::production("a12").await;
    app.add_movie_by_function(3_000_001).await.unwrap();
    app.adopt();
    app.add_movie_by_function(3_000_002).await.unwrap();
    for id in ["3000001", "3000002"] {
        assert!(app.due_in_days(id).await.is_some_and(|due| due <= 0.0), "{id}");
    }
    assert_eq!(app.movies_or_titles_alone().await, 0);
}
