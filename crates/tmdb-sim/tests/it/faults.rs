//! What goes wrong on request: faults, the limit, outages, latency.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tmdb_sim::{Cached, Faults, List, Options};

use crate::client::{Client, start};

#[tokio::test]
async fn more_than_the_limit_in_a_second_is_refused() {
    let (_sim, mut client) =
        start(Options { rate_limit: 5, retry_after: true, ..Options::default() }).await;
    for _ in 0..5 {
        assert_eq!(client.get("/3/configuration").await.status, 200);
    }
    let refused = client.get("/3/configuration").await;
    assert_eq!((refused.status, refused.headers["retry-after"].as_str()), (429, "1"));
}

#[tokio::test]
async fn faults_look_as_they_should() {
    let (sim, mut client) = start(Options::default()).await;
    for (faults, status) in [
        (Faults { http_500: 1.0, ..Faults::default() }, (500, 11)),
        (Faults { http_502: 1.0, ..Faults::default() }, (502, 43)),
        (Faults { http_503: 1.0, ..Faults::default() }, (503, 9)),
        (Faults { http_504: 1.0, ..Faults::default() }, (504, 24)),
        (Faults { http_429: 1.0, ..Faults::default() }, (429, 25)),
        (Faults { bad_id: 1.0, ..Faults::default() }, (500, 44)),
    ] {
        sim.control().fail(faults);
        let answer = client.get("/3/movie/603").await;
        assert_eq!((answer.status, answer.json()["status_code"].as_u64().unwrap()), status);
    }
    sim.control().fail(Faults { html: 1.0, ..Faults::default() });
    assert_eq!(client.get("/3/movie/603").await.headers["content-type"], "text/html");
    sim.control().fail(Faults { wrong_id: 1.0, ..Faults::default() });
    assert_ne!(client.get("/3/movie/603").await.json()["id"], 603);
    for faults in [
        Faults { truncated: 1.0, ..Faults::default() },
        Faults { outage: true, ..Faults::default() },
    ] {
        sim.control().fail(faults);
        let mut client = Client::connect(&sim).await;
        assert!(
            client.try_get("/3/movie/603", "Authorization: Bearer x\r\n").await.is_err(),
            "{faults:?}"
        );
    }
    sim.control().fail(Faults { stall: 1.0, ..Faults::default() });
    let answer = tokio::time::timeout(Duration::from_millis(200), client.get("/3/movie/603")).await;
    assert!(answer.is_err(), "a stalled request has no answer");
    sim.stop().await;
}

/// The share is one of movies: who has a bad id has it for ever, and lists are served.
#[tokio::test]
async fn a_bad_id_stays_bad() {
    let (sim, mut client) = start(Options::default()).await;
    sim.control().fail(Faults { bad_id: 0.5, ..Faults::default() });
    let mut rounds = Vec::new();
    for _ in 0..2 {
        let mut statuses = Vec::new();
        for id in [13, 155, 550, 603, 27_205] {
            statuses.push(client.get(&format!("/3/movie/{id}")).await.status);
        }
        rounds.push(statuses);
    }
    assert!(
        rounds[0] == rounds[1] && rounds[0].contains(&500) && rounds[0].contains(&200),
        "{rounds:?}"
    );
    assert_eq!(client.get("/3/movie/popular").await.status, 200);
}

#[tokio::test]
async fn invalid_json_is_as_long_as_announced() {
    let (sim, mut client) = start(Options::default()).await;
    sim.control().fail(Faults { invalid_json: 1.0, ..Faults::default() });
    for path in ["/3/movie/603", "/3/movie/popular", "/3/movie/999999999"] {
        let answer = client.get(path).await;
        assert_eq!(
            (answer.status, answer.headers["content-type"].starts_with("application/json")),
            (200, true),
            "{path}"
        );
        assert!(serde_json::from_slice::<Value>(&answer.body).is_err(), "{path}");
    }
}

/// What a cache has wrong stays wrong, for every third movie and the later pages of lists; all
/// others are served.
#[tokio::test]
async fn what_a_cache_has_wrong_stays_wrong() {
    let (sim, mut client) = start(Options::default()).await;
    let (genuine, page) = (client.get("/3/movie/603").await.body, "/3/movie/popular?page=2");
    for (cached, status, beginning) in [
        (Cached::UnlabelledGzip, 200, &b"\x1f\x8b"[..]),
        (Cached::InvalidJson, 200, &genuine[..100]),
        (Cached::Null, 200, b"null"),
        (Cached::Html403, 403, b"<html>"),
        (Cached::Text403, 403, b"error code: 1020"),
        (Cached::Html404, 404, b"<html>"),
        (Cached::WrongId, 200, b"{"),
    ] {
        sim.control().fail(Faults { cached: Some(cached), ..Faults::default() });
        for _ in 0..2 {
            let answer = client.get("/3/movie/603").await;
            assert_eq!((answer.status, answer.body.starts_with(beginning)), (status, true));
            assert!(answer.body != genuine && !answer.headers.contains_key("content-encoding"));
        }
        let is_page = matches!(cached, Cached::WrongId);
        let rows = serde_json::from_slice::<Value>(&client.get(page).await.body);
        assert_eq!(rows.is_ok_and(|page| page["results"].is_array()), is_page, "{cached:?}");
        for path in ["/3/movie/550", "/3/movie/popular"] {
            assert_eq!(client.get(path).await.status, 200, "{cached:?}");
        }
    }
    sim.control().fail(Faults { unwell_list: Some(List::Popular), ..Faults::default() });
    for (path, status) in [(page, 500), ("/3/movie/top_rated", 200), ("/3/movie/603", 200)] {
        assert_eq!(client.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_stray_answer_is_genuine_when_asked_again() {
    let (sim, mut client) = start(Options::default()).await;
    for (faults, expected) in [
        (Faults { stray_400: 1.0, ..Faults::default() }, (400, 5)),
        (Faults { stray_401: 1.0, ..Faults::default() }, (401, 7)),
        (Faults { stray_404: 1.0, ..Faults::default() }, (404, 34)),
    ] {
        sim.control().fail(faults);
        for id in [603, 550] {
            let path = format!("/3/movie/{id}");
            let stray = client.get(&path).await;
            assert_eq!((stray.status, stray.json()["status_code"].as_u64().unwrap()), expected);
            assert_eq!(client.get(&path).await.status, 200, "{faults:?}");
        }
    }
}

#[tokio::test]
async fn the_old_429_names_the_limit() {
    let (sim, mut client) = start(Options::default()).await;
    sim.control().configure(json!({"old_429_body": true})).unwrap();
    sim.control().fail(Faults { http_429: 1.0, ..Faults::default() });
    let message = "Your request count (41) is over the allowed limit of 40.";
    let old = json!({"status_code": 25, "status_message": message});
    assert_eq!(client.get("/3/movie/603").await.json(), old);
}

#[tokio::test]
async fn an_outage_ends_by_itself() {
    let (sim, mut client) = start(Options::default()).await;
    let started = Instant::now();
    assert_eq!(client.post("outage", r#"{"for_ms":300,"kind":"503"}"#).await.status, 200);
    assert_eq!(client.get("/3/movie/603").await.status, 503);
    while client.get("/3/movie/603").await.status == 503 {
        assert!(started.elapsed() < Duration::from_secs(20), "the outage is still on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(started.elapsed() >= Duration::from_millis(300));
    sim.control().outage(Duration::MAX);
    assert!(client.try_get("/3/movie/603", "Authorization: Bearer x\r\n").await.is_err());
    sim.control().outage(Duration::ZERO);
    assert_eq!(Client::connect(&sim).await.get("/3/movie/603").await.status, 200);
}

#[tokio::test]
async fn every_answer_takes_its_time_and_some_take_longer() {
    let (sim, mut client) = start(Options::default()).await;
    for (settings, least_ms) in
        [(json!({"latency_min_ms": 20}), 20), (json!({"slow_share": 1.0, "slow_ms": 60}), 80)]
    {
        sim.control().configure(settings).unwrap();
        let started = Instant::now();
        client.get("/3/configuration").await;
        assert!(started.elapsed() >= Duration::from_millis(least_ms), "{least_ms} ms");
    }
}
