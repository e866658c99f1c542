//! A client over a bare socket, so that faults below HTTP can be seen.

use std::collections::HashMap;

use serde_json::Value;
use tmdb_sim::{Options, Sim};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer as it came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(sim: &Sim) -> Self {
        let url = sim.base_url();
        let address = url.strip_prefix("http://").unwrap().strip_suffix("/3").unwrap();
        Self { stream: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }

    /// A GET with a credential.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.try_get(path, "Authorization: Bearer secret\r\n").await.unwrap()
    }

    /// A GET with these header lines.
    pub(crate) async fn try_get(&mut self, path: &str, headers: &str) -> std::io::Result<Answer> {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: sim\r\n{headers}\r\n")).await
    }

    /// A change through the control interface below `/_sim/`.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Answer {
        let length = body.len();
        self.send(&format!("POST /_sim/{path} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}"))
            .await
            .unwrap()
    }

    /// Sends a request as it stands and reads the answer.
    pub(crate) async fn send(&mut self, request: &str) -> std::io::Result<Answer> {
        self.stream.write_all(request.as_bytes()).await?;
        let head_len = loop {
            if let Some(at) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let head = String::from_utf8(self.buffer.drain(..head_len).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers: HashMap<String, String> =
            fields.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let body = if headers.contains_key("transfer-encoding") {
            self.chunks().await?
        } else {
            self.take(headers.get("content-length").map_or(0, |length| length.parse().unwrap()))
                .await?
        };
        Ok(Answer { status, headers, body })
    }

    async fn chunks(&mut self) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            while !self.buffer.contains(&b'\n') {
                self.fill().await?;
            }
            let end = self.buffer.iter().position(|byte| *byte == b'\n').unwrap();
            let line = self.take(end + 1).await?;
            let length =
                usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
            let chunk = self.take(length + 2).await?;
            if length == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..length]);
        }
    }

    async fn take(&mut self, length: usize) -> std::io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn fill(&mut self) -> std::io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// A simulator with a small catalogue and one connection to it.
pub(crate) async fn start(options: Options) -> (Sim, Client) {
    let sim = Sim::start(options).await.unwrap();
    let client = Client::connect(&sim).await;
    (sim, client)
}

/// The ids of a list page.
pub(crate) fn ids(page: &Value) -> Vec<u64> {
    page["results"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
}
