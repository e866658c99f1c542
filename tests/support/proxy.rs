//! A TCP proxy that cuts, delays, holds and halves what passes through it.

use std::{net::SocketAddr, time::Duration};

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

/// The way to one server. Stands until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where clients connect.
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    ends: watch::Sender<End>,
}

impl Proxy {
    /// Listens on a free port of loopback.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(Mode::Pass);
        let (ends, end) = watch::channel(End::Cut);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, modes.clone(), end.clone()));
            }
        });
        Self { address, mode, ends }
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
