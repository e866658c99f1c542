//! PgBouncer before the database: with sessions of its own it is as good as the server, and with
//! shared ones it is refused.

#![expect(non_snake_case, reason = "a test is found by the id of the rule that it holds")]

use tests::{Given, Pooler, Said, eventually};

const SKIPPED: &str = "SKIPPED: there is no pgbouncer here; scripts/setup installs it";

/// Five connections are enough for all services.
#[tokio::test(flavor = "multi_thread")]
async fn S9_a_session_pool_of_five_is_enough() {
    let given = Given::start("session-pool").await;
    let url = given.servers.database_url();
    let Some(pooler) = Pooler::start(&given.folder, &url, "session", 5).await else {
        println!("{SKIPPED}");
        return;
    };
    let through = pooler.url();
    let _running = given.up(&[("DATABASE_URL", &through), ("DATABASE_POOL", "5")]).await;
    let database = given.database().await;
    given.works_off_the_main_job(&database).await;
    assert!(database.connections_of("mangoes").await > 0, "its sessions have its name");
    let said = given.said();
    assert!(!said.contains("gave no connection in time"), "nobody waited in vain: {said}");
}

/// The sentence says what to do, and comes before anything is set in a session of others.
#[tokio::test(flavor = "multi_thread")]
async fn S9_a_transaction_pool_is_refused_with_one_sentence() {
    let given = Given::start("transaction-pool").await;
    let url = given.servers.database_url();
    let Some(pooler) = Pooler::start(&given.folder, &url, "transaction", 5).await else {
        println!("{SKIPPED}");
        return;
    };
    let through = pooler.url();
    for args in [&["up", "--demo"][..], &["migrate"], &["jobs", "list"]] {
        let said = Said::by(&mut given.command(args, &[("DATABASE_URL", &through)]));
        let sentence = said.errors.lines().find(|line| line.starts_with("mangoes: "));
        assert!(
            said.code == Some(1) && sentence.is_some_and(|text| text.contains("session pooling")),
            "{args:?}: {said:?}"
        );
    }
}

/// A pooler that is stopped is an outage: what waits is done when it is back, and nothing is given
/// up.
#[tokio::test(flavor = "multi_thread")]
async fn S9_a_pooler_that_restarts_is_an_outage() {
    let given = Given::start("pooler-restarts").await;
    let url = given.servers.database_url();
    let Some(mut pooler) = Pooler::start(&given.folder, &url, "session", 5).await else {
        println!("{SKIPPED}");
        return;
    };
    let through = pooler.url();
    let mut running = given.up(&[("DATABASE_URL", &through), ("DATABASE_POOL", "5")]).await;
    let database = given.database().await;
    pooler.stop();
    for id in [603, 604, 605] {
        let payload = format!("{{\"tmdb_id\": {id}}}");
        given.nats.publish("movies.ingest.movie", payload.as_bytes()).await;
    }
    running.until(503, "the database").await;
    pooler.start_again().await;
    running.until(200, "ready").await;
    let look = async || database.movies().complete().await;
    eventually("what waited is done", look, |n| *n == 3).await;
    assert_eq!(database.dead_letters().await, 0);
}
