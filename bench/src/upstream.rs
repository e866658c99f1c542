//! The stand-in for TMDB: answers of `bodies`, ready to send, from memory and without delay.
//!
//! It has a thread of its own, whose CPU time is shown: it must be small beside what is measured.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::proc_fs;

/// Every movie's whole answer, head included, by id.
pub(crate) type Answers = HashMap<i64, Bytes>;

const ACCEPTED: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=utf-8\r\n\
                        Content-Length: 16\r\n\r\n{\"success\":true}";
const UNKNOWN: &str = "HTTP/1.1 404 Not Found\r\n\
                       Content-Type: application/json;charset=utf-8\r\nContent-Length: 54\r\n\r\n\
                       {\"success\":false,\"status_code\":34,\"status_message\":\"\"}";

/// A running stand-in. It ends with the process.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: String,
}

#[derive(Debug, Default)]
struct Shared {
    answers: RwLock<Arc<Answers>>,
    calls: AtomicU64,
}

impl Upstream {
    /// Listens on a free port of loopback; it knows no movie yet.
    ///
    /// # Errors
    /// There is no port or no thread.
    pub(crate) fn start() -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (started, start) = mpsc::channel();
        let of_thread = Arc::clone(&shared);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        thread::Builder::new().name("upstream".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listen = async {
                    let listener = TcpListener::bind("127.0.0.1:0").await?;
                    let address = listener.local_addr()?;
                    anyhow::Ok((listener, address, proc_fs::thread_file()?))
                };
                match listen.await {
                    Ok((listener, address, thread)) => {
                        // It fails when nobody waits for it any more.
                        let _ = started.send(Ok((address, thread)));
                        accept(&listener, &of_thread).await;
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                }
            });
        })?;
        let (address, thread) = start.recv().context("the upstream's thread ended")??;
        Ok(Self { address, shared, thread })
    }

    /// The address of its API.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/3", self.address)
    }

    /// From now on these are the movies.
    pub(crate) fn serve(&self, answers: Arc<Answers>) {
        *self.shared.answers.write().unwrap_or_else(PoisonError::into_inner) = answers;
    }

    /// Movies asked for so far.
    pub(crate) fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }

    /// CPU seconds so far.
    pub(crate) fn cpu_secs(&self) -> f64 {
        proc_fs::thread_cpu_secs(&self.thread).unwrap_or_default()
    }
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        // A connection that is gone again is the client's matter.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            // The client hung up.
            let _ = answer(stream, &shared).await;
        });
    }
}

/// Answers the requests of one connection; they have no body.
async fn answer(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4_096);
    loop {
        if let Some(at) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let reply = reply(buffer.get(..at).unwrap_or_default(), shared);
            buffer.drain(..at + 4);
            stream.write_all(&reply).await?;
        } else if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

fn reply(head: &[u8], shared: &Shared) -> Bytes {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let target = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let target = std::str::from_utf8(target).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    if path == "/3/authentication" {
        return Bytes::from_static(ACCEPTED.as_bytes());
    }
    let id = path.strip_prefix("/3/movie/").and_then(|id| id.parse().ok());
    let answers = Arc::clone(&shared.answers.read().unwrap_or_else(PoisonError::into_inner));
    match id.and_then(|id: i64| answers.get(&id).cloned()) {
        Some(answer) => {
            shared.calls.fetch_add(1, Ordering::Relaxed);
            answer
        }
        None => Bytes::from_static(UNKNOWN.as_bytes()),
    }
}
