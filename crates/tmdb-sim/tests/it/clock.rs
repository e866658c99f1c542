//! What moves with the simulator's clock: popularity and votes, lists, change windows, the cache.

use std::time::Duration;

use serde_json::{Value, json};
use tmdb_sim::{Options, Sim};

use crate::client::{Client, ids, start};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn without_drift(mut movie: Value) -> (Value, [Option<Value>; 3]) {
    let keys = movie.as_object_mut().unwrap();
    let drift = ["popularity", "vote_average", "vote_count"].map(|key| keys.remove(key));
    (movie, drift)
}

#[tokio::test]
async fn popularity_and_votes_drift_by_day_and_nothing_else_does() {
    let ((sim, mut client), (twin, mut other)) =
        (start(Options::default()).await, start(Options::default()).await);
    let etag = client.get("/3/movie/603").await.headers["etag"].clone();
    let (first, before) = without_drift(client.get("/3/movie/603").await.json());
    sim.control().advance(10 * DAY);
    assert_eq!(other.post("advance", r#"{"secs":864000}"#).await.status, 200);
    let answer = client.get("/3/movie/603").await;
    let (later, after) = without_drift(answer.json());
    assert_eq!(first, later);
    assert!(
        before != after
            && before[2].as_ref().unwrap().as_u64() < after[2].as_ref().unwrap().as_u64()
    );
    assert_ne!(etag, answer.headers["etag"]);
    let row = client.get("/3/movie/popular").await.json()["results"][0].clone();
    assert_eq!((&row["id"], &row["popularity"]), (&json!(603), after[0].as_ref().unwrap()));
    assert_eq!(other.get("/3/movie/603").await.body, answer.body);
    drop(twin);
}

#[tokio::test]
async fn change_windows_follow_the_clock() {
    let (sim, mut client) = start(Options::default()).await;
    sim.control().edit(603, json!({"title": "Edited"}));
    assert_eq!(ids(&client.get("/3/movie/changes").await.json()), [603]);
    sim.control().advance(2 * DAY);
    assert!(ids(&client.get("/3/movie/changes").await.json()).is_empty());
    sim.control().edit(550, json!({"title": "Edited"}));
    assert_eq!(ids(&client.get("/3/movie/changes").await.json()), [550]);
}

async fn crawl(client: &mut Client) -> Vec<u64> {
    let mut seen = Vec::new();
    for page in 1..=40 {
        seen.extend(ids(&client.get(&format!("/3/trending/movie/week?page={page}")).await.json()));
    }
    seen
}

#[tokio::test]
async fn lists_move_by_the_hour() {
    let (sim, mut client) = start(Options::default()).await;
    let first = crawl(&mut client).await;
    assert_eq!(first, crawl(&mut client).await);
    sim.control().advance(HOUR);
    let second = crawl(&mut client).await;
    assert_ne!(first, second);
    for ids in [first, second] {
        let repeats = ids.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!((1..20).contains(&repeats), "{repeats} rows are repeated");
    }
}

async fn seen(client: &mut Client) -> (u16, Value, u64) {
    let answer = client.get("/3/movie/603").await;
    (answer.status, answer.json()["title"].clone(), answer.headers["age"].parse().unwrap())
}

#[tokio::test]
async fn a_cache_keeps_what_was_true_before() {
    let (sim, mut client): (Sim, Client) = start(Options::default()).await;
    let control = sim.control();
    control.configure(json!({"cache_secs": 7_200})).unwrap();
    control.edit(603, json!({"title": "Edited"}));
    assert_eq!(seen(&mut client).await.1, "The Matrix");
    control.advance(HOUR);
    control.delete(603);
    let (status, title, age) = seen(&mut client).await;
    assert!(
        (status, &title) == (200, &json!("The Matrix")) && (3_600..3_700).contains(&age),
        "{age} s old"
    );
    control.advance(HOUR);
    assert_eq!(seen(&mut client).await.1, "Edited");
    control.advance(HOUR);
    assert_eq!(seen(&mut client).await, (404, Value::Null, 0));
    control.restore(603);
    assert_eq!(seen(&mut client).await.0, 404);
    control.advance(2 * HOUR);
    assert_eq!(seen(&mut client).await, (200, json!("Edited"), 0));
}
