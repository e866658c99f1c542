//! TMDB is unwell: its caches, its edge, one of its lists.

use serde_json::json;
use tests::{World, eventually};
use tmdb_sim::{Cached, Faults, List, Sim};

use super::{no_message_paid, world};

/// Ids of movies that exist, and others between them that do not.
const FIRST_IDS: i64 = 1_001;
/// Calls in vain after which a kind of nonsense was met.
const CALLS_OF_A_KIND: i64 = 6;

fn fail(sim: &Sim, set: impl FnOnce(&mut Faults)) {
    let mut faults = Faults::default();
    set(&mut faults);
    sim.control().fail(faults);
}

fn answered(sim: &Sim, status: u16) -> u64 {
    sim.control().stats().by_status.get(&status).copied().unwrap_or(0)
}

/// Its cache hands out gzip bytes as plain JSON, on every third movie and on list pages from 2 on.
#[tokio::test(flavor = "multi_thread")]
async fn T1_gzip_without_its_label_is_unpacked() {
    let (sim, world) = world("t1-gzip").await;
    fail(&sim, |faults| faults.cached = Some(Cached::UnlabelledGzip));
    world.ingest_list("popular", 60).await;
    world.list_runs().of("popular").ingested(60).without_error().becomes(1).await;
    assert_eq!(world.movies().complete().await, 60);
    no_message_paid(&world).await;
}

/// Siblings of T1: what no program can unpack, for the same movies again and again. They wait, and
/// all is done when the cache is well.
#[tokio::test(flavor = "multi_thread")]
async fn T1_nonsense_for_every_third_movie_is_waited_for() {
    let (sim, world) = world("t1-nonsense").await;
    let mut last = FIRST_IDS - 1;
    for cached in [
        Cached::InvalidJson,
        Cached::Null,
        Cached::WrongId,
        Cached::Html403,
        Cached::Text403,
        Cached::Html404,
    ] {
        fail(&sim, |faults| faults.cached = Some(cached));
        last = ingests_a_dozen_after(&world, last).await;
        let failed = world.calls().failed().await;
        world.calls().failed().reaches(failed + CALLS_OF_A_KIND).await;
        assert_eq!(world.dead_letters().not_because("not-found").await, 0, "{cached:?}");
    }
    fail(&sim, |_| {});
    world.movies_stored_or_not_found().becomes(last - FIRST_IDS + 1).await;
    assert_eq!(world.dead_letters().not_because("not-found").await, 0);
    assert_eq!(world.calls().that_are_retries().await, 0, "attempts were counted");
    world.readyz(200, "ready").await;
}

/// While some movies have no usable answer for hours, the others are worked on, and `/readyz` says
/// what waits.
#[tokio::test(flavor = "multi_thread")]
async fn T1_movies_with_an_answer_go_on() {
    let (sim, world) = world("t1-others").await;
    fail(&sim, |faults| faults.cached = Some(Cached::Null));
    let mut last = FIRST_IDS - 1;
    for _ in 0..3 {
        last = ingests_a_dozen_after(&world, last).await;
        let others = (last - FIRST_IDS + 1) * 2 / 3;
        world.movies_stored_or_not_found().reaches(others).await;
        world.readyz(200, "TMDB gives no answer about").await;
    }
    assert_eq!(world.dead_letters().not_because("not-found").await, 0);
    assert_eq!(world.calls().that_are_retries().await, 0, "attempts were counted");
}

/// Returns the last id.
async fn ingests_a_dozen_after(world: &World, last: i64) -> i64 {
    for id in last + 1..=last + 12 {
        world.ingest(id).await;
    }
    last + 12
}

/// The same on the later pages of a list: its run waits, and succeeds when the cache is well.
#[tokio::test(flavor = "multi_thread")]
async fn T1_nonsense_on_the_pages_of_a_list_is_waited_for() {
    let (sim, world) = world("t1-pages").await;
    fail(&sim, |faults| faults.cached = Some(Cached::InvalidJson));
    world.ingest_list_as("pages", "popular", 60).await;
    world.readyz(200, "TMDB fails on /movie/popular").await;
    assert_eq!(world.run_with_id("pages").open().await, 1);
    fail(&sim, |_| {});
    world.list_runs().of_run("pages").ingested(60).without_error().becomes(1).await;
    no_message_paid(&world).await;
}

/// The edge refuses everything, in two ways one after the other: an outage, told by `/readyz`, and
/// all is done when it ends.
#[tokio::test(flavor = "multi_thread")]
async fn T2_a_refusal_by_the_edge_is_an_outage() {
    let (sim, world) = world("t2").await;
    fail(&sim, |faults| faults.html_403 = 1.0);
    asks_for_movies_and_a_list(&world).await;
    world.readyz(503, "TMDB is down").await;
    let pages = answered(&sim, 403);
    fail(&sim, |faults| faults.text_403 = 1.0);
    let look = async || answered(&sim, 403);
    eventually("a probe meets the other refusal", look, |n| *n > pages).await;
    fail(&sim, |_| {});
    all_is_done(&world).await;
    let refused = answered(&sim, 403);
    assert!(refused < 60, "{refused} calls were made in vain");
}

/// A page of HTML is no word about a movie, and 404 does not make it one.
#[tokio::test(flavor = "multi_thread")]
async fn T2b_a_404_that_is_not_TMDBs_is_an_outage() {
    let (sim, world) = world("t2b").await;
    fail(&sim, |faults| faults.html_404 = 1.0);
    asks_for_movies_and_a_list(&world).await;
    world.readyz(503, "TMDB is down").await;
    fail(&sim, |_| {});
    all_is_done(&world).await;
    assert_eq!(world.movies().missing().await, 0);
}

const KNOWN: [i64; 5] = [603, 550, 13, 155, 27_205];

async fn asks_for_movies_and_a_list(world: &World) {
    for id in KNOWN {
        world.ingest(id).await;
    }
    world.ingest_list("popular", 40).await;
}

async fn all_is_done(world: &World) {
    world.all_complete(&KNOWN).await;
    world.list_runs().of("popular").ingested_or_skipped_at_least(40).becomes(1).await;
    world.readyz(200, "ready").await;
    no_message_paid(world).await;
}

/// A sibling of T2: one mistake among good answers, though in TMDB's own words. It is asked again
/// before it is believed.
#[tokio::test(flavor = "multi_thread")]
async fn T2_a_stray_refusal_is_asked_again() {
    let (sim, world) = world("t2-stray").await;
    world.ingest(603).await;
    world.complete(603).await;
    let strays: [fn(&mut Faults); 3] = [
        |faults| faults.stray_400 = 1.0,
        |faults| faults.stray_401 = 1.0,
        |faults| faults.stray_404 = 1.0,
    ];
    for (n, set) in (2..).zip(strays) {
        fail(&sim, set);
        world.stale(603).await;
        world.events("movies.refreshed.603").becomes(n).await;
    }
    fail(&sim, |faults| faults.stray_404 = 1.0);
    world.ingest(550).await;
    world.complete(550).await;
    assert_eq!(world.movies().missing().await, 0);
    assert_eq!(world.budget().credential_refused().await, 0);
    no_message_paid(&world).await;
}

/// A sibling of T2: one list fails while everything else is well. Its run waits, others go on.
#[tokio::test(flavor = "multi_thread")]
async fn T2_one_unwell_list_stops_nothing_else() {
    let (sim, world) = world("t2-list").await;
    fail(&sim, |faults| faults.unwell_list = Some(List::Popular));
    world.ingest_list_as("unwell", "popular", 20).await;
    world.readyz(200, "TMDB fails on /movie/popular").await;
    for id in KNOWN {
        world.ingest(id).await;
    }
    world.all_complete(&KNOWN).await;
    assert_eq!(world.run_with_id("unwell").open().await, 1);
    fail(&sim, |_| {});
    world.list_runs().of_run("unwell").ingested_or_skipped_at_least(20).becomes(1).await;
    no_message_paid(&world).await;
}

/// What TMDB's own JSON says about an id is believed: nobody waits for it for ever.
#[tokio::test(flavor = "multi_thread")]
async fn T2_what_TMDB_says_about_an_id_is_the_messages_own() {
    let (sim, world) = world("t2-own").await;
    sim.control().delete(550);
    world.ingest(550).await;
    world.dead_letters().because("not-found").becomes(1).await;
    fail(&sim, |faults| faults.bad_id = 1.0);
    world.ingest(13).await;
    world.dead_letters().because("upstream-refused").becomes(1).await;
    fail(&sim, |_| {});
    sim.control().edit(155, json!({"id": 156}));
    world.ingest(603).await;
    world.ingest(155).await;
    world.dead_letters().because("retries-exhausted").becomes(1).await;
    world.complete(603).await;
    assert_eq!(world.dead_letters().await, 3);
}
