//! The simulator over a real socket.

#[cfg(test)]
mod client;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod export;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod speed;

use client::{ids, start};
use serde_json::{Value, json};
use tmdb_sim::{Options, Sim, SimError};

/// The parts that the client asks for, as a value of `append_to_response`.
pub(crate) fn all_parts() -> String {
    tmdb::PARTS.join(",").replace('/', "%2F")
}

#[tokio::test]
async fn every_part_that_the_client_asks_for_is_rendered() {
    let (_sim, mut client) = start(Options::default()).await;
    let path = format!("/3/movie/603?append_to_response={}", all_parts());
    let movie = client.get(&path).await.json();
    for part in tmdb::PARTS {
        assert!(movie[part].is_object(), "{part}");
    }
}

#[tokio::test]
async fn two_simulators_of_one_seed_answer_alike() {
    let (_one, mut first) = start(Options::default()).await;
    let (_two, mut second) = start(Options::default()).await;
    for id in [603, 1, 2, 3, 5_003, 90_000] {
        let path = format!("/3/movie/{id}?append_to_response={}", all_parts());
        let (a, b) = (first.get(&path).await, second.get(&path).await);
        assert_eq!((a.status, a.body), (b.status, b.body), "id {id}");
    }
}

#[tokio::test]
async fn details_hold_exactly_the_parts_asked_for() {
    let (_sim, mut client) = start(Options::default()).await;
    let movie =
        client.get("/3/movie/603?append_to_response=credits,watch/providers,nonsense").await.json();
    assert_eq!(
        (&movie["title"], &movie["release_date"], &movie["imdb_id"]),
        (&json!("The Matrix"), &json!("1999-03-30"), &json!("tt0133093"))
    );
    assert!(movie["credits"]["cast"].is_array() && movie["watch/providers"]["results"].is_object());
    assert!(
        movie["credits"].get("id").is_none()
            && movie.get("images").is_none()
            && movie.get("nonsense").is_none()
    );
    let found = client.get("/3/find/tt0133093?external_source=imdb_id").await.json();
    assert_eq!(found["movie_results"][0]["id"], 603);
}

#[tokio::test]
async fn bodies_are_valid_and_of_a_real_size() {
    let (_sim, mut client) = start(Options::default()).await;
    let mut sizes = Vec::new();
    for id in 1..400 {
        let answer = client.get(&format!("/3/movie/{id}?append_to_response={}", all_parts())).await;
        if answer.status == 200 {
            assert_eq!(answer.json()["id"], id);
            sizes.push(answer.body.len());
        }
    }
    sizes.sort_unstable();
    println!("median {} bytes, largest {}", sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
    assert!(
        (60_000..120_000).contains(&sizes[sizes.len() / 2]) && sizes[sizes.len() - 1] > 300_000
    );
}

/// Most titles have few rows in their lists. The others stay as they were.
#[tokio::test]
async fn obscure_movies_have_short_lists() {
    let obscure = Options { obscure: 900, ..Options::default() };
    let (mut sizes, mut same) = (Vec::new(), 0);
    let (_usual, mut usual) = start(Options::default()).await;
    let (_sim, mut client) = start(obscure).await;
    for id in 1..400 {
        let path = format!("/3/movie/{id}?append_to_response={}", all_parts());
        let answer = client.get(&path).await;
        if answer.status == 200 {
            same += usize::from(answer.body == usual.get(&path).await.body);
            sizes.push(answer.body.len());
        }
    }
    sizes.sort_unstable();
    println!("median {} bytes, {same} of {} are as usual", sizes[sizes.len() / 2], sizes.len());
    assert!((10_000..30_000).contains(&sizes[sizes.len() / 2]));
    assert!((sizes.len() / 20..sizes.len() / 5).contains(&same));
}

/// Videos come in the language of the request only, unless others are named.
#[tokio::test]
async fn videos_come_in_the_languages_that_are_asked_for() {
    let (sim, mut client) = start(Options::default()).await;
    let videos = json!([{"key": "d", "iso_639_1": "de"}, {"key": "n", "iso_639_1": null}]);
    sim.control().edit(550, json!({"videos": {"results": videos}}));
    for (query, keys) in [
        ("", json!([])),
        ("&language=de-DE", json!(["d"])),
        ("&language=en-US&include_video_language=en,de", json!(["d"])),
        ("&language=en-US&include_video_language=de,null", json!(["d", "n"])),
    ] {
        let path = format!("/3/movie/550?append_to_response=videos{query}");
        let movie = client.get(&path).await.json();
        let sent = movie["videos"]["results"].as_array().unwrap();
        let sent: Vec<&Value> = sent.iter().map(|video| &video["key"]).collect();
        assert_eq!(json!(sent), keys, "{query}");
    }
    let path = "/3/movie/603?append_to_response=videos&language=fr-FR";
    assert_eq!(client.get(path).await.json()["videos"]["results"], json!([]));
}

#[tokio::test]
async fn lists_show_only_movies_that_exist() {
    let (_sim, mut client) = start(Options::default()).await;
    for list in [
        "movie/now_playing",
        "movie/popular",
        "movie/top_rated",
        "movie/upcoming",
        "trending/movie/day",
        "trending/movie/week",
    ] {
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
    let (_sim, mut client) =
        start(Options { credential: Some("secret".to_owned()), ..Options::default() }).await;
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
        assert_eq!(
            (answer.status, &answer.json()["status_code"]),
            (status, &json!(code)),
            "{path}"
        );
    }
    for (headers, status) in [
        ("", 401),
        ("Authorization: Bearer wrong\r\n", 401),
        ("Authorization: Bearer secret\r\n", 200),
    ] {
        assert_eq!(
            client.try_get("/3/movie/603", headers).await.unwrap().status,
            status,
            "{headers}"
        );
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
    let packed = client
        .try_get("/3/movie/popular", "Authorization: Bearer x\r\nAccept-Encoding: gzip\r\n")
        .await
        .unwrap();
    assert_eq!(packed.headers["content-encoding"], "gzip");
    let mut body = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(packed.body.as_slice()),
        &mut body,
    )
    .unwrap();
    assert_eq!(body, client.get("/3/movie/popular").await.body);
}

#[tokio::test]
async fn the_http_control_interface_shares_the_state() {
    let (sim, mut client) = start(Options::default()).await;
    assert_eq!(client.post("edit/550", r#"{"title":"Over HTTP"}"#).await.status, 200);
    for _ in 0..3 {
        assert_eq!(client.get("/3/movie/550").await.json()["title"], "Over HTTP");
    }
    let stats = sim.control().stats();
    assert_eq!(
        (stats.calls, stats.detail_calls, stats.duplicates[&550], stats.by_path["movie/{id}"]),
        (3, 3, 3, 3)
    );
    assert_eq!(stats.per_second.iter().sum::<u32>(), 3);
    assert!((1..=3).contains(&stats.peak_per_second));
    assert_eq!(client.get("/_sim/stats").await.json()["by_path"], json!(stats.by_path));
    for (path, body, status) in
        [("outage", "{}", 400), ("settings", r#"{"speed":1}"#, 400), ("edit", "{}", 404)]
    {
        assert_eq!(client.post(path, body).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn the_credential_changes_while_running_and_is_never_shown() {
    let (sim, mut client) = start(Options::default()).await;
    assert_eq!(client.get("/_sim/settings").await.json()["credential_set"], false);
    assert_eq!(
        client.post("settings", r#"{"credential":"other","latency_ms":0}"#).await.status,
        200
    );
    assert_eq!(client.get("/3/configuration").await.status, 401);
    let shown = client.get("/_sim/settings").await;
    assert!(
        shown.json()["credential_set"] == true
            && !String::from_utf8(shown.body).unwrap().contains("other")
    );
    sim.control().set_credential(None);
    assert_eq!(client.get("/3/configuration").await.status, 200);
}

#[tokio::test]
async fn a_merged_movie_is_found_under_its_survivor() {
    let (sim, mut client) = start(Options::default()).await;
    sim.control().merge(603, 550);
    assert_eq!(client.get("/3/movie/603").await.status, 404);
    let survivor = client.get("/3/movie/550?append_to_response=external_ids").await.json();
    assert_eq!(
        (&survivor["imdb_id"], &survivor["external_ids"]["imdb_id"]),
        (&json!("tt0133093"), &json!("tt0133093"))
    );
    assert!(client.get("/3/movie/550").await.json().get("external_ids").is_none());
    for (imdb_id, found) in [("tt0133093", json!(550)), ("tt0137523", json!(null))] {
        let rows = client.get(&format!("/3/find/{imdb_id}?external_source=imdb_id")).await.json();
        assert_eq!(rows["movie_results"][0]["id"], found, "{imdb_id}");
    }
    assert_eq!(client.post("merge/550", r#"{"into":13}"#).await.status, 200);
    let rows = client.get("/3/find/tt0133093?external_source=imdb_id").await.json();
    assert_eq!(rows["movie_results"][0]["id"], 13);
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let (sim, _client) = start(Options::default()).await;
    let address = sim.base_url().replace("http://", "").replace("/3", "").parse().unwrap();
    let error = Sim::start(Options { listen: address, ..Options::default() }).await.unwrap_err();
    assert!(
        matches!(error, SimError::Listen { .. })
            && error.to_string().contains(&address.to_string())
    );
}
