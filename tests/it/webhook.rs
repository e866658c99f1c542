//! Events by HTTP: signed, sent again, given up.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use serde_json::{Value, json};
use tests::{Process, World, eventually, mangoes, simulator};
use tmdb_sim::Sim;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use webhook::Secret;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request as it came, and how it was answered.
#[derive(Debug, Clone)]
struct Request {
    head: String,
    body: Vec<u8>,
    status: u16,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v).next().unwrap_or("")
    }

    fn tmdb_id(&self) -> i64 {
        let event: Value = serde_json::from_slice(&self.body).unwrap();
        event["tmdb_id"].as_i64().unwrap()
    }

    /// Whether the signature is that of the secret.
    fn is_signed(&self) -> bool {
        let secret: Secret = SECRET.parse().unwrap();
        let at = self.header("webhook-timestamp").parse().unwrap();
        let signature = secret.sign(self.header("webhook-id"), at, &self.body);
        self.header("webhook-signature") == signature
    }
}

/// Takes requests and answers with a status that the test chooses.
#[derive(Clone)]
struct Receiver {
    port: u16,
    status: Arc<AtomicU16>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver =
            Self { port, status: Arc::new(AtomicU16::new(200)), requests: Arc::default() };
        let shared = receiver.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = shared.clone();
                tokio::spawn(async move { shared.answer(stream).await });
            }
        });
        receiver
    }

    async fn answer(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        let request = loop {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let body = bytes[end + 4..].to_vec();
            let request = Request { head, body, status: self.status.load(Ordering::Relaxed) };
            if request.body.len() >= request.header("content-length").parse().unwrap() {
                break request;
            }
        };
        let status = request.status;
        self.requests.lock().unwrap().push(request);
        let answer =
            format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        // The sender may have gone.
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    fn answers_with(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Requests about this movie.
    fn about(&self, tmdb_id: i64) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.tmdb_id() == tmdb_id).collect()
    }

    /// Waits until an event about this movie was taken.
    async fn takes(&self, tmdb_id: i64) {
        let look = async || self.about(tmdb_id).iter().any(|request| request.status == 200);
        eventually(&format!("the receiver takes {tmdb_id}"), look, |taken| *taken).await;
    }

    /// Waits until an event about this movie was refused so often.
    async fn refuses(&self, tmdb_id: i64, times: usize) {
        let look = async || self.about(tmdb_id).iter().filter(|r| r.status != 200).count();
        eventually(&format!("the receiver refuses {tmdb_id}"), look, |n| *n >= times).await;
    }
}

/// A world with a receiver.
struct Stage {
    _sim: Sim,
    world: World,
    receiver: Receiver,
    log: PathBuf,
}

impl Stage {
    async fn start(name: &str) -> Self {
        let sim = simulator().await;
        let world = World::start_against(name, &sim, &[("TMDB_RATE", "0")]).await;
        let log = world.folder.0.join("webhook.log");
        Self { _sim: sim, world, receiver: Receiver::start().await, log }
    }

    fn webhook(&self, name: &str, args: &[&str]) -> Process {
        let mut command = mangoes(&self.world.folder.0);
        let url = format!("http://127.0.0.1:{}/hook", self.receiver.port);
        command.args(["webhook", "--url", &url, "--name", name]).args(args);
        Process::start(&mut command, &self.log)
    }

    /// An event as it might be of this movie.
    async fn event(&self, tmdb_id: i64) {
        let subject = format!("movies.changed.{tmdb_id}");
        self.world.publish_json(&subject, json!({ "tmdb_id": tmdb_id })).await;
    }

    /// Waits until the server says this about the consumer of a webhook.
    async fn consumer_says(&self, name: &str, words: &str) {
        let verb = format!("CONSUMER.INFO.MOVIES_EVENTS.webhook-{name}");
        let look = async || self.world.jetstream(&verb).await;
        eventually(&format!("{verb}: {words}"), look, |info| info.contains(words)).await;
    }

    async fn consumer_is_lost(&self, name: &str) {
        let verb = format!("CONSUMER.DELETE.MOVIES_EVENTS.webhook-{name}");
        let deleted = self.world.jetstream(&verb).await;
        assert!(deleted.contains("\"success\":true"), "{deleted}");
    }

    /// Waits until the process has ended because of what it says.
    async fn gives_up(&self, mut process: Process, words: &str) {
        let status = process.ended().await;
        let said = std::fs::read_to_string(&self.log).unwrap();
        assert_eq!(status.code(), Some(1), "{said}");
        let last = said.lines().last().unwrap_or_default();
        assert!(last.starts_with("mangoes: ") && last.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_reach_a_receiver_signed_again_and_again_or_become_dead_letters() {
    let stage = Stage::start("webhook").await;
    let (world, receiver) = (&stage.world, &stage.receiver);
    let secret = world.folder.0.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let start = |name: &str, give_up_after: &str| {
        let secret = secret.to_str().unwrap();
        let args = ["--give-up-after", give_up_after, "--from-oldest", "--secret-file", secret];
        stage.webhook(name, &args)
    };
    world.ingest(603).await;
    let patient = start("patient", "86400");
    let once = async || receiver.about(603).len();
    eventually("the event of a new movie is sent", once, |n| *n == 1).await;
    let first = receiver.about(603).remove(0);
    assert!(first.head.starts_with("POST /hook HTTP/1.1"), "{}", first.head);
    assert!(first.is_signed(), "{}", first.head);
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.header("ce-type"), "movies.changed.v1");
    assert_eq!(first.header("ce-subject"), "603");
    assert!(first.header("webhook-id").starts_with("msg_"), "{}", first.head);
    let event: Value = serde_json::from_slice(&first.body).unwrap();
    assert_eq!((&event["change"], &event["card"]["tmdb_id"]), (&"created".into(), &603.into()));

    receiver.answers_with(500);
    world.ingest(550).await;
    eventually("it is sent again", async || receiver.about(550).len(), |n| *n >= 2).await;
    drop(patient);
    receiver.answers_with(204);
    let again = start("patient", "86400");
    let before = receiver.about(550).len();
    let more = async || receiver.about(550).len();
    eventually("it is sent after a crash, too", more, |n| *n > before).await;
    let ids: Vec<String> =
        receiver.about(550).iter().map(|r| r.header("webhook-id").to_owned()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "one event, one id: {ids:?}");
    assert_eq!(receiver.about(603).len(), 1, "it goes on where it stopped");
    drop(again);
    assert_eq!(world.dead_letters().await, 0);

    receiver.answers_with(410);
    let _impatient = start("impatient", "1");
    world.dead_letters().of("webhook-impatient").because("not-taken").becomes(2).await;
    world.dead_letters().saying("the receiver answered 410 Gone").becomes(2).await;
    let attempts = receiver.about(603).len() - 1;
    assert!(attempts >= 2, "an old event is given up after {attempts} attempt");
    only_the_others_are_replayed(world).await;
}

/// Everybody would get the dead letter of a webhook.
async fn only_the_others_are_replayed(world: &World) {
    world.publish("movies.ingest.movie", br#"{"tmdb_id": "tt603"}"#).await;
    world.dead_letters().of("ingest-movie").becomes(1).await;
    let other = world.dead_letters().of("ingest-movie").id().await;
    let events = world.events("movies.changed.*").await;
    let told = world.verb_fails(&["dead", "replay", "--all"]);
    assert!(told.contains(&format!("replay:{other}:1")), "{told}");
    assert!(told.contains("left out (2)") && told.contains("--from-oldest"), "{told}");
    let answer = world.request("dead.replay", &json!({ "reason": "not-taken" })).await.unwrap();
    let left_out = &answer["replayed"][0];
    assert!(left_out["reason"].to_string().contains("left out (2)"), "{answer}");
    let told = world.verb_fails(&["dead", "replay", &left_out["id"].to_string()]);
    assert!(told.contains("webhook-impatient") && told.contains("--from-oldest"), "{told}");
    assert_eq!(world.events("movies.changed.*").await, events, "everybody would get it");
}

/// More events than are sent at once wait to be sent again.
#[tokio::test(flavor = "multi_thread")]
async fn refused_events_hold_up_no_others() {
    let stage = Stage::start("webhook-refuses").await;
    stage.receiver.answers_with(500);
    let _webhook = stage.webhook("all", &["--from-oldest"]);
    for tmdb_id in 1..=40 {
        stage.event(tmdb_id).await;
    }
    let sent = async || {
        let movies = stage.receiver.requests();
        movies.iter().map(Request::tmdb_id).collect::<BTreeSet<i64>>().len()
    };
    eventually("each is sent", sent, |sent| *sent == 40).await;
}

/// Neither what waits to be sent again nor what comes meanwhile is lost with the consumer.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_lost_is_made_again_where_it_was() {
    let stage = Stage::start("webhook-lost").await;
    stage.event(1).await;
    let webhook = stage.webhook("steady", &[]);
    stage.consumer_says("steady", "\"created\"").await;
    stage.event(2).await;
    stage.receiver.takes(2).await;
    stage.receiver.answers_with(500);
    stage.event(3).await;
    stage.receiver.refuses(3, 1).await;
    stage.consumer_is_lost("steady").await;
    stage.event(4).await;
    stage.receiver.answers_with(200);
    stage.receiver.takes(3).await;
    stage.receiver.takes(4).await;
    assert!(stage.receiver.about(1).is_empty(), "it was sent what was there before it began");

    // Another process has never seen what waits to be sent again: 8 s after the third attempt.
    stage.receiver.answers_with(500);
    stage.event(5).await;
    stage.receiver.refuses(5, 3).await;
    drop(webhook);
    stage.receiver.answers_with(200);
    let _webhook = stage.webhook("steady", &[]);
    stage.event(6).await;
    stage.receiver.takes(6).await;
    stage.consumer_is_lost("steady").await;
    stage.receiver.takes(5).await;
}

/// Headers end the client library: the process ends, and its next start gets past the message.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_ends_where_only_a_restart_or_a_person_can_help() {
    let stage = Stage::start("webhook-ends").await;
    let webhook = stage.webhook("one", &[]);
    stage.consumer_says("one", "\"created\"").await;
    let headers = b"NATS/1.0\r\nX: a\rb\r\n\r\n";
    stage.world.publish_raw("movies.changed.1", headers, br#"{"tmdb_id": 1}"#).await;
    stage.gives_up(webhook, "start this again").await;
    let mut webhook = stage.webhook("one", &[]);
    let dead = stage.world.dead_letters().of("webhook-one");
    dead.because("unreadable-headers").becomes(1).await;
    stage.event(2).await;
    stage.receiver.takes(2).await;
    stage.consumer_says("one", "\"num_ack_pending\":0").await;
    assert_eq!(webhook.end(), None, "it ended again");
    drop(webhook);

    let webhook = stage.webhook("one", &["--subject", "movies.run.*"]);
    stage.gives_up(webhook, "made for movies.changed.*, and not for movies.run.*").await;
    stage.world.be_another_installation().await;
    let webhook = stage.webhook("one", &[]);
    stage.gives_up(webhook, "belongs to the installation").await;
}
