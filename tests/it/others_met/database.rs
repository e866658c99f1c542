//! Postgres is unwell: a failover, a pooler.

use tests::{Database, Given, Running, eventually};

use super::no_message_paid;

/// After a failover old sessions can only read and new ones write. They are left, and it is whole
/// again within a minute.
#[tokio::test(flavor = "multi_thread")]
async fn P3_sessions_that_only_read_are_left() {
    let given = Given::start("p3").await;
    let mut running = given.up(&[]).await;
    let database = given.database().await;
    given.works_off_the_main_job(&database).await;
    given.fails_over().await;
    given.ingests(&database, 604).await;
    running.until(200, "ready").await;
    no_message_paid(&database).await;
}

/// A pooler refuses new connections, whatever it says: that is the database's trouble, and what
/// waits is done afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn P8_a_refused_connection_is_no_fault_of_a_message() {
    let given = Given::start("p8").await;
    let (proxy, through) = given.proxy().await;
    let mut running = given.up(&[("DATABASE_URL", &through), ("DATABASE_POOL", "8")]).await;
    let database = given.database().await;
    let mut id = 1_000;
    // The last two are siblings: what nobody lists as an outage.
    for code in ["XX000", "28P01", "22023", "42704"] {
        let refused = proxy.refused();
        proxy.refuse_new(Some(code));
        database.end_half_of_the_sessions().await;
        for _ in 0..10 {
            id += 1;
            let payload = format!("{{\"tmdb_id\": {id}}}");
            given.nats.publish("movies.ingest.movie", payload.as_bytes()).await;
        }
        let look = async || proxy.refused();
        eventually(&format!("connections are refused with {code}"), look, |n| *n > refused + 2)
            .await;
        proxy.refuse_new(None);
        is_well_after(&mut running, &database, id - 1_000).await;
    }
}

async fn is_well_after(running: &mut Running, database: &Database, movies: i64) {
    database.movies_stored_or_not_found().becomes(movies).await;
    assert_eq!(database.dead_letters().not_because("not-found").await, 0);
    assert_eq!(database.calls().that_are_retries().await, 0, "attempts were counted");
    running.until(200, "ready").await;
}
