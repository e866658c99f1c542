//! Events by HTTP: signed, sent again, given up.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU16, Ordering},
};

use serde_json::Value;
use tests::{Process, World, eventually, mangoes, simulator};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use webhook::Secret;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request as it came.
#[derive(Debug, Clone)]
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v).next().unwrap_or("")
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
            let request = Request { head, body };
            if request.body.len() >= request.header("content-length").parse().unwrap() {
                break request;
            }
        };
        self.requests.lock().unwrap().push(request);
        let status = self.status.load(Ordering::Relaxed);
        let answer =
            format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        // The sender may have gone.
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    fn answers_with(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// Requests about this movie.
    fn about(&self, tmdb_id: i64) -> Vec<Request> {
        let requests = self.requests.lock().unwrap().clone();
        let is_about = |request: &Request| {
            let event: Value = serde_json::from_slice(&request.body).unwrap();
            event["tmdb_id"] == tmdb_id
        };
        requests.into_iter().filter(is_about).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_reach_a_receiver_signed_again_and_again_or_become_dead_letters() {
    let sim = simulator().await;
    let world = World::start_against("webhook", &sim, &[("TMDB_RATE", "0")]).await;
    let receiver = Receiver::start().await;
    let secret = world.folder.0.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let log = world.folder.0.join("webhook.log");
    let start = |name: &str, give_up_after: &str| {
        let mut command = mangoes(&world.folder.0);
        command.args(["webhook", "--url", &format!("http://127.0.0.1:{}/hook", receiver.port)]);
        command.args(["--name", name, "--give-up-after", give_up_after, "--from-oldest"]);
        command.arg("--secret-file").arg(&secret);
        Process::start(&mut command, &log)
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
}
