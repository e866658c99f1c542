//! NATS as a plain client speaks it: its text protocol over TCP, without a library that would
//! refuse what a stranger may send.

use std::sync::Arc;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::Semaphore,
};

use crate::eventually::PATIENCE;

/// Messages of a flood that wait for their confirmation at once.
const FLOOD_WINDOW: usize = 1_000;

/// A way to the server, by its address with user and password.
#[derive(Debug, Clone)]
pub struct PlainNats {
    url: String,
}

/// `host:port` of a NATS server's address, and what a client says there to be let in.
pub fn nats_login(url: &str) -> (&str, String) {
    let rest = url.trim_start_matches("nats://");
    let (credentials, address) = rest.rsplit_once('@').unwrap_or((":", rest));
    let (user, password) = credentials.split_once(':').unwrap();
    (address, format!("\"user\":\"{user}\",\"pass\":\"{password}\""))
}

impl PlainNats {
    /// Nothing is sent yet.
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    /// Publishes without a header; JetStream is not asked whether it has it.
    pub async fn publish(&self, subject: &str, payload: &[u8]) {
        self.talk(&format!("PUB {subject} {}\r\n", payload.len()), payload, "PONG").await;
    }

    /// Publishes, and says that the answer shall go to another subject.
    pub async fn publish_for(&self, subject: &str, reply: &str, payload: &[u8]) {
        self.talk(&format!("PUB {subject} {reply} {}\r\n", payload.len()), payload, "PONG").await;
    }

    /// Publishes headers that no library would send.
    pub async fn publish_raw(&self, subject: &str, headers: &[u8], payload: &[u8]) {
        let body = [headers, payload].concat();
        let command = format!("HPUB {subject} {} {}\r\n", headers.len(), body.len());
        self.talk(&command, &body, "PONG").await;
    }

    /// Publishes under a message id and waits for the stream's confirmation.
    pub async fn publish_with_id(&self, subject: &str, id: &str, payload: &[u8]) {
        let headers = format!("NATS/1.0\r\nNats-Msg-Id: {id}\r\n\r\n");
        let (head, total) = (headers.len(), headers.len() + payload.len());
        let inbox = self.inbox();
        let command =
            format!("SUB {inbox} 1\r\nHPUB {subject} {inbox} {head} {total}\r\n{headers}");
        let answer = self.talk(&command, payload, &format!("MSG {inbox}")).await;
        assert!(answer.contains("\"seq\":") && !answer.contains("error"), "{answer}");
    }

    /// Publishes with an inbox for the answer; returns all that the server sent.
    pub async fn ask(&self, subject: &str, payload: &[u8]) -> String {
        let inbox = self.inbox();
        let command = format!("SUB {inbox} 1\r\nPUB {subject} {inbox} {}\r\n", payload.len());
        self.talk(&command, payload, &format!("MSG {inbox}")).await
    }

    /// Where answers come in: where this user may read them.
    fn inbox(&self) -> String {
        let user = self.url.trim_start_matches("nats://").split([':', '@']).next();
        format!("_INBOX.{}.answer", user.unwrap_or_default())
    }

    /// As `ask`; returns the line of JSON in the answer.
    pub async fn ask_json(&self, subject: &str, payload: &[u8]) -> serde_json::Value {
        let answer = self.ask(subject, payload).await;
        let line = answer.lines().find(|line| line.starts_with('{')).unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{subject}: {e}: {answer}"))
    }

    /// Publishes many messages, and waits until the stream has confirmed each of them.
    pub async fn flood(&self, subject: &str, payloads: impl Iterator<Item = String>) {
        let (address, login) = nats_login(&self.url);
        let stream = TcpStream::connect(address).await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let inbox = self.inbox();
        let greeting = format!("CONNECT {{\"verbose\":false,{login}}}\r\nSUB {inbox}.* 1\r\n");
        writer.write_all(greeting.as_bytes()).await.unwrap();
        let window = Arc::new(Semaphore::new(FLOOD_WINDOW));
        let confirmed = Arc::clone(&window);
        let reading = tokio::spawn(async move {
            let mut lines = BufReader::new(reader).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                assert!(!line.contains("\"error\""), "{line}");
                if line.starts_with("MSG _INBOX.") {
                    confirmed.add_permits(1);
                }
            }
        });
        for (number, payload) in payloads.enumerate() {
            window.acquire().await.unwrap().forget();
            let length = payload.len();
            let command = format!("PUB {subject} {inbox}.{number} {length}\r\n{payload}\r\n");
            writer.write_all(command.as_bytes()).await.unwrap();
        }
        let all = window.acquire_many(FLOOD_WINDOW.try_into().unwrap());
        drop(tokio::time::timeout(PATIENCE, all).await.unwrap().unwrap());
        reading.abort();
    }

    /// Whether the server lets this client publish there.
    pub async fn may_publish(&self, subject: &str) -> bool {
        let said = self.talk(&format!("PUB {subject} 2\r\n"), b"{}", "PONG").await;
        !said.contains("Permissions Violation")
    }

    /// Whether the server lets this client subscribe there.
    pub async fn may_subscribe(&self, subject: &str) -> bool {
        let said = self.talk(&format!("SUB {subject} 1"), b"", "PONG").await;
        !said.contains("Permissions Violation")
    }

    /// Whether this client, subscribed to every inbox, receives what is sent to this one.
    pub async fn may_overhear(&self, inbox: &str) -> bool {
        let ask = |inbox: &str| format!("PUB $JS.API.INFO {inbox} 0\r\n");
        let command = format!("SUB _INBOX.> 1\r\n{}\r\n{}", ask(inbox), ask("_INBOX.last"));
        let heard = self.talk(&command, b"", "MSG _INBOX.last").await;
        heard.contains(&format!("MSG {inbox} "))
    }

    /// Sends a command and reads until the answer is whole.
    async fn talk(&self, command: &str, payload: &[u8], awaited: &str) -> String {
        let (address, login) = nats_login(&self.url);
        let connect =
            format!("{{\"verbose\":false,\"headers\":true,\"no_responders\":true,{login}}}");
        let mut bytes = format!("CONNECT {connect}\r\n{command}").into_bytes();
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(b"\r\nPING\r\n");
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut seen = Vec::new();
        while !is_whole(&seen, awaited) {
            let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut seen)).await;
            let text = String::from_utf8_lossy(&seen);
            assert!(matches!(read, Ok(Ok(1..))), "NATS did not answer: {read:?} {text}");
        }
        String::from_utf8_lossy(&seen).into_owned()
    }
}

/// Whether the awaited answer has come to its end.
fn is_whole(seen: &[u8], awaited: &str) -> bool {
    let text = String::from_utf8_lossy(seen);
    let Some((_, rest)) = text.split_once(awaited) else { return false };
    // MSG and HMSG name their length last.
    awaited == "PONG"
        || rest.split_once("\r\n").is_some_and(|(line, body)| {
            let length: usize = line.rsplit(' ').next().unwrap_or_default().parse().unwrap();
            body.len() >= length + 2
        })
}
