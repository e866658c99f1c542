//! A TCP proxy that cuts, delays, holds and halves what passes through it, or refuses what is new.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What happens to bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They pass.
    Pass,
    /// They pass later.
    Delay(Duration),
    /// They are held, both ways, as by a network that drops every packet.
    Hold,
    /// Requests pass, answers are held.
    Half,
    /// Requests are lost, answers pass: what was sent seems to have gone out.
    Lose,
}

/// How long the server keeps a client that does not answer its keepalive probes; as `store` asks it
/// to.
const SERVER_FINDS_OUT: Duration = Duration::from_secs(30);

/// What ends the connections of this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// They are closed.
    Cut,
    /// No byte passes any more, and nobody learns it: a firewall forgot them.
    Silence,
}

/// What clients of Postgres ask before they say who they are: for TLS, and for GSSAPI.
const ASKS_FOR_ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// The way to one server. Stands until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where clients connect.
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    ends: watch::Sender<End>,
    refusal: watch::Sender<Option<&'static str>>,
    refused: Arc<AtomicU64>,
}

impl Proxy {
    /// Listens on a free port of loopback.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(Mode::Pass);
        let (ends, end) = watch::channel(End::Cut);
        let (refusal, refusals) = watch::channel(None);
        let refused = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&refused);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Some(code) = *refusals.borrow() {
                    tokio::spawn(refuse(client, code, Arc::clone(&count)));
                } else {
                    tokio::spawn(pass(client, server, modes.clone(), end.clone()));
                }
            }
        });
        Self { address, mode, ends, refusal, refused }
    }

    /// As a pooler of Postgres that refuses new connections with this SQLSTATE while old ones go
    /// on; `None`: new ones pass again.
    pub fn refuse_new(&self, code: Option<&'static str>) {
        self.refusal.send_replace(code);
    }

    /// How many connections were refused so.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// From now on, for the connections that are there and those to come.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Ends every connection at this moment.
    pub fn cut(&self) {
        self.ends.send_replace(End::Cut);
    }

    /// Lets every connection of this moment fall silent for good; new ones pass.
    pub fn silence(&self) {
        self.ends.send_replace(End::Silence);
    }
}

/// Answers the beginning of a session of Postgres with an error; a client that went away has none.
async fn refuse(mut client: TcpStream, code: &'static str, count: Arc<AtomicU64>) -> Option<()> {
    loop {
        let length = usize::try_from(client.read_u32().await.ok()?).ok()?;
        let asked = client.read_u32().await.ok()?;
        let mut rest = vec![0; length.checked_sub(8)?];
        client.read_exact(&mut rest).await.ok()?;
        if !ASKS_FOR_ENCRYPTION.contains(&asked) {
            break;
        }
        client.write_all(b"N").await.ok()?;
    }
    let fields = format!("SFATAL\0VFATAL\0C{code}\0Mno new connection is taken\0\0");
    client.write_u8(b'E').await.ok()?;
    client.write_u32(u32::try_from(fields.len() + 4).ok()?).await.ok()?;
    client.write_all(fields.as_bytes()).await.ok()?;
    count.fetch_add(1, Ordering::Relaxed);
    client.shutdown().await.ok()
}

async fn pass(
    client: TcpStream,
    server: SocketAddr,
    modes: watch::Receiver<Mode>,
    mut end: watch::Receiver<End>,
) {
    // A server that is away refuses, as it would without a proxy.
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    end.mark_unchanged();
    let silent = tokio::select! {
        () = copy(&mut from_client, &mut to_server, modes.clone(), REQUESTS) => false,
        () = copy(&mut from_server, &mut to_client, modes, ANSWERS) => false,
        _ = end.changed() => *end.borrow() == End::Silence,
    };
    if silent {
        // The server's own probes find out after a while; the client never does.
        tokio::time::sleep(SERVER_FINDS_OUT).await;
        drop((from_server, to_server));
        std::future::pending::<()>().await;
    }
}

/// What the modes do to the bytes of one direction.
#[derive(Debug, Clone, Copy)]
struct Direction {
    loses: &'static [Mode],
    holds: &'static [Mode],
}

const REQUESTS: Direction = Direction { loses: &[Mode::Lose], holds: &[Mode::Hold] };
const ANSWERS: Direction = Direction { loses: &[], holds: &[Mode::Hold, Mode::Half] };

async fn copy(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut modes: watch::Receiver<Mode>,
    direction: Direction,
) {
    let mut part = vec![0; 65_536];
    loop {
        let Ok(n @ 1..) = from.read(&mut part).await else { return };
        let Some(bytes) = part.get(..n) else { return };
        let mode = *modes.borrow_and_update();
        if let Mode::Delay(span) = mode {
            tokio::time::sleep(span).await;
        }
        if direction.loses.contains(&mode) {
            continue;
        }
        let passes = modes.wait_for(|mode| !direction.holds.contains(mode)).await.is_ok();
        if !passes || to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
