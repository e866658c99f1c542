//! A TCP proxy that cuts, delays, holds and halves what passes through it.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What happens to bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
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

/// The way to one server. Stands until it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    cuts: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(Mode::Pass);
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, modes.clone(), cut.clone()));
            }
        });
        Self { address, mode, cuts }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Ends every connection at this moment.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|n| *n += 1);
    }
}

async fn pass(client: TcpStream, server: SocketAddr, modes: watch::Receiver<Mode>, mut cut: watch::Receiver<u64>) {
    // A server that is away refuses, as it would without a proxy.
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    cut.mark_unchanged();
    tokio::select! {
        () = copy(from_client, to_server, (modes.clone(), true), |m| m == Mode::Hold) => {}
        () = copy(from_server, to_client, (modes, false), |m| matches!(m, Mode::Hold | Mode::Half)) => {}
        _ = cut.changed() => {}
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    (mut modes, loses): (watch::Receiver<Mode>, bool),
    holds: impl Fn(Mode) -> bool,
) {
    let mut part = vec![0; 65_536];
    loop {
        let Ok(n @ 1..) = from.read(&mut part).await else { return };
        let mode = *modes.borrow_and_update();
        if let Mode::Delay(span) = mode {
            tokio::time::sleep(span).await;
        }
        if mode == Mode::Lose && loses {
            continue;
        }
        if modes.wait_for(|m| !holds(*m)).await.is_err() || to.write_all(&part[..n]).await.is_err() {
            return;
        }
    }
}
