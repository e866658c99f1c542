//! The simulator over a real socket.

#[cfg(test)]
mod client;
#[cfg(test)]
mod recorded;

use std::time::{Duration, Instant};

use client::{Client, ids, start};
use serde_json::json;
use tmdb_sim::{Faults, Options, Sim, SimError};

const ALL_PARTS: &str = "credits,videos,similar,recommendations,release_dates,images,keywords,watch%2Fproviders,external_ids,translations,alternative_titles";

#[tokio::test]
async fn two_simulators_of_one_seed_answer_alike() {
    let (_one, mut first) = start(Options::default()).await;
    let (_two, mut second) = start(Options::default()).await;
    for id in [603, 1, 2, 3, 5_003, 90_000] {
        let path = format!("/3/movie/{id}?append_to_response={ALL_PARTS}");
        let (a, b) = (first.get(&path).await, second.get(&path).await);
        assert_eq!((a.status, a.body), (b.status, b.body), "id {id}");
    }
}

#[tokio::test]
async fn details_hold_exactly_the_parts_asked_for() {
    let (_sim, mut client) = start(Options::default()).await;
    let movie = client.get("/3/movie/603?append_to_response=credits,watch/providers,nonsense").await.json();
    assert_eq!(
        (&movie["title"], &movie["release_date"], &movie["imdb_id"]),
        (&json!("The Matrix"), &json!("1999-03-30"), &json!("tt0133093"))
    );
    assert!(movie["credits"]["cast"].is_array() && movie["watch/providers"]["results"].is_object());
    assert!(movie["credits"].get("id").is_none() && movie.get("images").is_none() && movie.get("nonsense").is_none());
    let found = client.get("/3/find/tt0133093?external_source=imdb_id").await.json();
    assert_eq!(found["movie_results"][0]["id"], 603);
}

#[tokio::test]
async fn bodies_are_valid_and_of_a_real_size() {
    let (_sim, mut client) = start(Options::default()).await;
    let mut sizes = Vec::new();
    for id in 1..400 {
        let answer = client.get(&format!("/3/movie/{id}?append_to_response={ALL_PARTS}")).await;
        if answer.status == 200 {
            assert_eq!(answer.json()["id"], id);
            sizes.push(answer.body.len());
        }
    }
    sizes.sort_unstable();
    println!("median {} bytes, largest {}", sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
    assert!((20_000..90_000).contains(&sizes[sizes.len() / 2]) && sizes[sizes.len() - 1] > 200_000);
}

#[tokio::test]
async fn lists_show_only_movies_that_exist() {
    let (_sim, mut client) = start(Options::default()).await;
    for list in
        ["movie/now_playing", "movie/popular", "movie/top_rated", "movie/upcoming", "trending/movie/day", "trending/movie/week"]
    {
        for page in [1, 2, 5, 30] {
            let page = client.get(&format!("/3/{list}?page={page}")).await.json();
            assert!(ids(&page).len() >= 17, "{list} has rows");
            for row in page["results"].as_array().unwrap() {
                let movie = client.get(&format!("/3/movie/{}", row["id"])).await;
                assert_eq!((movie.status, &movie.json()["title"]), (200, &row["title"]), "{list}");
            }
        }
    }
    let popular = client.get("/3/movie/popular").await.json();
    assert!(popular["total_pages"].as_u64().unwrap() > 500);
}

#[tokio::test]
async fn refusals_are_worded_as_upstream_words_them() {
    let (_sim, mut client) = start(Options { credential: Some("secret".to_owned()), ..Options::default() }).await;
    let many = vec!["credits"; 21].join(",");
    let cases = [
        ("/3/movie/999999999".to_owned(), 404, 34),
        ("/3/movie/0".to_owned(), 404, 34),
        ("/3/movie/popular?page=501".to_owned(), 400, 22),
        (format!("/3/movie/603?append_to_response={many}"), 400, 27),
        ("/3/movie/changes?start_date=2024-01-01&end_date=2024-02-01".to_owned(), 422, 20),
    ];
    for (path, status, code) in cases {
        let answer = client.get(&path).await;
        assert_eq!((answer.status, &answer.json()["status_code"]), (status, &json!(code)), "{path}");
    }
    for (headers, status) in [("", 401), ("Authorization: Bearer wrong\r\n", 401), ("Authorization: Bearer secret\r\n", 200)] {
        assert_eq!(client.try_get("/3/movie/603", headers).await.unwrap().status, status, "{headers}");
    }
    assert_eq!(client.try_get("/3/movie/603?api_key=secret", "").await.unwrap().status, 200);
    let outside = client.get("/movie/603").await;
    assert_eq!((outside.status, outside.headers["content-type"].as_str()), (404, "text/html"));
}

#[tokio::test]
async fn an_etag_saves_the_body_until_the_movie_changes() {
    let (sim, mut client) = start(Options::default()).await;
    let etag = client.get("/3/movie/603").await.headers["etag"].clone();
    let again = format!("Authorization: Bearer x\r\nIf-None-Match: {etag}\r\n");
    assert_eq!(client.try_get("/3/movie/603", &again).await.unwrap().status, 304);
    sim.control().edit(603, json!({"title": "Edited", "poster_path": null}));
    let edited = client.try_get("/3/movie/603", &again).await.unwrap();
    assert_eq!((edited.status, &edited.json()["title"]), (200, &json!("Edited")));
    assert_eq!(client.get("/3/movie/popular").await.json()["results"][0]["title"], "Edited");
    assert_eq!(ids(&client.get("/3/movie/changes").await.json()), [603]);
    sim.control().delete(603);
    assert_eq!(client.get("/3/movie/603").await.status, 404);
    assert!(!ids(&client.get("/3/movie/popular").await.json()).contains(&603));
    sim.control().restore(603);
    assert_eq!(client.get("/3/movie/603/changes").await.json()["changes"][0]["key"], "poster_path");
}

#[tokio::test]
async fn gzip_is_used_where_it_is_accepted() {
    let (_sim, mut client) = start(Options::default()).await;
    let packed = client.try_get("/3/movie/popular", "Authorization: Bearer x\r\nAccept-Encoding: gzip\r\n").await.unwrap();
    assert_eq!(packed.headers["content-encoding"], "gzip");
    let mut body = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed.body.as_slice()), &mut body).unwrap();
    assert_eq!(body, client.get("/3/movie/popular").await.body);
}

#[tokio::test]
async fn more_than_the_limit_in_a_second_is_refused() {
    let (_sim, mut client) = start(Options { rate_limit: 5, retry_after: true, ..Options::default() }).await;
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
        (Faults { http_500: 1.0, ..Faults::default() }, 500),
        (Faults { http_503: 1.0, ..Faults::default() }, 503),
        (Faults { http_429: 1.0, ..Faults::default() }, 429),
    ] {
        sim.control().fail(faults);
        assert_eq!(client.get("/3/movie/603").await.status, status);
    }
    sim.control().fail(Faults { html: 1.0, ..Faults::default() });
    assert_eq!(client.get("/3/movie/603").await.headers["content-type"], "text/html");
    sim.control().fail(Faults { wrong_id: 1.0, ..Faults::default() });
    assert_ne!(client.get("/3/movie/603").await.json()["id"], 603);
    for faults in [Faults { truncated: 1.0, ..Faults::default() }, Faults { outage: true, ..Faults::default() }] {
        sim.control().fail(faults);
        let mut client = Client::connect(&sim).await;
        assert!(client.try_get("/3/movie/603", "Authorization: Bearer x\r\n").await.is_err(), "{faults:?}");
    }
    sim.control().fail(Faults { stall: 1.0, ..Faults::default() });
    let answer = tokio::time::timeout(Duration::from_millis(200), client.get("/3/movie/603")).await;
    assert!(answer.is_err(), "a stalled request has no answer");
    sim.stop().await;
}

#[tokio::test]
async fn the_http_control_interface_shares_the_state() {
    let (sim, mut client) = start(Options::default()).await;
    let body = r#"{"title":"Over HTTP"}"#;
    let edit = format!("POST /_sim/edit/550 HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(client.send(&edit).await.unwrap().status, 200);
    for _ in 0..3 {
        assert_eq!(client.get("/3/movie/550").await.json()["title"], "Over HTTP");
    }
    let stats = sim.control().stats();
    assert_eq!((stats.calls, stats.detail_calls, stats.duplicates[&550], stats.by_path["movie/{id}"]), (3, 3, 3, 3));
    assert_eq!(client.get("/_sim/stats").await.json(), json!(stats));
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let (sim, _client) = start(Options::default()).await;
    let address = sim.base_url().replace("http://", "").replace("/3", "").parse().unwrap();
    let error = Sim::start(Options { listen: address, ..Options::default() }).await.unwrap_err();
    assert!(matches!(error, SimError::Listen { .. }) && error.to_string().contains(&address.to_string()));
}

#[tokio::test]
async fn requests_per_second_are_printed() {
    let (_sim, mut client) = start(Options::default()).await;
    for (name, query, headers) in [
        ("plain", String::new(), "Authorization: Bearer x\r\n"),
        ("all parts", format!("?append_to_response={ALL_PARTS}"), "Authorization: Bearer x\r\n"),
        ("all parts, gzip", format!("?append_to_response={ALL_PARTS}"), "Authorization: Bearer x\r\nAccept-Encoding: gzip\r\n"),
    ] {
        let (started, count) = (Instant::now(), 1_000);
        for id in 1..=count {
            client.try_get(&format!("/3/movie/{id}{query}"), headers).await.unwrap();
        }
        println!("{name}: {:.0} requests/s", f64::from(count) / started.elapsed().as_secs_f64());
    }
}
