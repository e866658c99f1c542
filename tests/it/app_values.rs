//! Values that only the app makes, written between two saves of ours and while one waits.

#![expect(non_snake_case, reason = "a test is found by the id of the rule that it holds")]

use serde_json::json;
use tests::{HostedApp, World, simulator};

use crate::app_shapes::{is_own, refresh};

/// A save that finds its own rows does not read them. What the app writes between two saves is
/// found all the same, wherever it writes it, and stays for good.
#[tokio::test(flavor = "multi_thread")]
async fn A1_what_the_app_makes_between_two_refreshes_survives() {
    let app = HostedApp::production("a1-between").await;
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    let (in_details, in_card, in_none) = (11, 12, 680);
    for id in [in_details, in_card, in_none] {
        world.verb(&["ingest", "--movie", &id.to_string(), "--follow"]);
    }
    app.keep_own_poster_in_details(in_details).await;
    app.keep_own_poster_in_card(in_card).await;
    for title in ["First", "Second", "Third"] {
        for id in [in_details, in_card, in_none] {
            sim.control().edit(u64::try_from(id).unwrap(), json!({"title": title}));
            refresh(&world, &[id]);
            let (details, card) = (app.details_row(id).await.unwrap(), app.card(id).await.unwrap());
            assert_eq!(card.card.title, title, "{id}");
            let posters = [&details["poster_url_medium"], &card.payload["poster"]["medium"]];
            for poster in posters {
                assert_eq!(is_own(poster), id != in_none, "{id}, {title}: {poster}");
            }
        }
    }
    assert_eq!(app.titles_whose_rows_are_ours(&[in_none]).await, 1);
    assert_eq!(app.titles_whose_rows_are_ours(&[in_details, in_card]).await, 0);

    // In another cluster the same number is another transaction.
    world.stop().await;
    app.say_that_a_dump_was_restored().await;
    let world = World::start_on(&app, &sim).await;
    assert_eq!(app.titles_whose_rows_are_ours(&[in_none]).await, 0);

    // Nor where nobody may ask which cluster it is.
    sim.control().edit(680, json!({"title": "Fourth", "tagline": "Fourth"}));
    refresh(&world, &[in_none]);
    assert_eq!(app.titles_whose_rows_are_ours(&[in_none]).await, 1);
    world.stop().await;
    app.forbid_asking_for_the_cluster().await;
    let _world = World::start_on(&app, &sim).await;
    assert_eq!(app.titles_whose_rows_are_ours(&[in_none]).await, 0);
}

/// A save waits for a transaction of the app that has edited the movie: what it wrote stays.
#[tokio::test(flavor = "multi_thread")]
async fn A1_what_the_app_makes_while_a_save_waits_survives() {
    let app = HostedApp::production("a1-meanwhile").await;
    let sim = simulator().await;
    let world = World::start_on(&app, &sim).await;
    world.verb(&["ingest", "--movie", "680", "--follow"]);
    sim.control().edit(680, json!({"title": "Renamed"}));
    let edit = app.keep_own_poster_meanwhile(680).await;
    world.stale(680).await;
    world.eventually("the save waits", async || app.waiting_sessions().await, |n| *n > 0).await;
    edit.commit().await;
    let updated = world.events("movies.changed.680").saying("change", "updated");
    updated.published().becomes(1).await;
    let (details, card) = (app.details_row(680).await.unwrap(), app.card(680).await.unwrap());
    assert_eq!(card.card.title, "Renamed");
    assert!(is_own(&details["poster_url_medium"]), "{}", details["poster_url_medium"]);
    assert!(is_own(&card.payload["poster"]["medium"]), "{}", card.payload["poster"]);
}
