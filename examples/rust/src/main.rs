//! Keeps a search index of movies right, with nothing but a subscriber's rights on NATS. Run it by
//! `NATS_URL=nats://user:password@host:4222 cargo run -p search-index [-- --once]`.
//! It resumes where it stopped, applies each event once (by its revision), and builds the index
//! from nothing by a snapshot of all cards and the events since. --once: end when no event waits.
use async_nats::jetstream::{consumer::pull::Config, with_prefix};
use async_nats::{ConnectOptions, ServerAddr};
use futures::TryStreamExt;
use serde_json::{Value, from_slice, json, to_vec};
use std::{collections::BTreeMap, env, fs, time::Duration};
/// A removed movie stays, without a card: a late event must not bring it back.
fn put(index: &mut BTreeMap<String, Value>, id: &str, said: Value) {
    let known = index.get(id).and_then(|known| known["revision"].as_i64());
    if said["revision"].as_i64() > known {
        index.insert(id.to_owned(), said);
    }
}
#[tokio::main]
async fn main() -> Result<(), async_nats::Error> {
    let file = env::var("INDEX").unwrap_or("search-index.json".to_owned());
    let inbox = env::var("NATS_INBOX_PREFIX").unwrap_or("_INBOX".to_owned());
    let server: ServerAddr = env::var("NATS_URL")?.parse()?;
    let [user, password] = [server.username(), server.password()].map(|p| p.unwrap_or("").into());
    let options = ConnectOptions::with_user_and_password(user, password);
    let nats = options.custom_inbox_prefix(inbox).connect(server).await?;
    let api = env::var("NATS_JS_API_PREFIX").unwrap_or("$JS.API".to_owned());
    let stream = with_prefix(nats.clone(), &api).get_stream("MOVIES_EVENTS").await?;
    let config: Config = serde_json::from_value(json!({ "durable_name": "search-index-rust",
        "filter_subject": "movies.changed.*", "deliver_policy": "new", "ack_policy": "explicit",
        "replay_policy": "instant" }))?;
    let is_new = stream.get_consumer::<Config>("search-index-rust").await.is_err();
    let consumer = stream.get_or_create_consumer("search-index-rust", config).await?;
    let stored = fs::read(&file).ok().filter(|_| !is_new);
    let mut index = stored.map_or(Ok(BTreeMap::new()), |bytes| from_slice(&bytes))?;
    let mut after = if index.is_empty() { json!(0) } else { Value::Null };
    while !after.is_null() {
        let request = json!({ "after": after }).to_string().into();
        let page = nats.request("movies.api.movie.cards", request).await?;
        let mut page: Value = from_slice(&page.payload)?;
        for row in page["cards"].as_array_mut().into_iter().flatten() {
            put(&mut index, &row["card"]["tmdb_id"].to_string(), row.take());
        }
        after = page["next"].take();
    }
    loop {
        let batch = consumer.batch().max_messages(100).expires(Duration::from_secs(2));
        let messages: Vec<_> = batch.messages().await?.try_collect().await?;
        for message in &messages {
            let event: Value = from_slice(&message.payload)?;
            put(&mut index, &event["tmdb_id"].to_string(), event);
        }
        fs::write(&file, to_vec(&index)?)?; // before the acknowledgement: a crash repeats
        futures::future::try_join_all(messages.iter().map(|message| message.ack())).await?;
        if messages.is_empty() && env::args().any(|argument| argument == "--once") {
            let movies = index.values().filter(|said| !said["card"].is_null()).count();
            println!("{movies} movies, {} removed", index.len() - movies);
            return Ok(());
        }
    }
}
