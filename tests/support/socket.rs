//! A unix socket before a Postgres that listens on TCP only.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::net::{TcpStream, UnixListener};

use crate::folder::Folder;

/// The socket as a server of this machine has it. Stands until the test ends.
#[derive(Debug)]
pub struct SocketDoor {
    /// Where clients look for it.
    pub folder: PathBuf,
    visits: Arc<AtomicUsize>,
}

impl SocketDoor {
    /// Passes on to the server on this port of loopback.
    pub fn open(folder: &Folder, port: &str) -> Self {
        let listener = UnixListener::bind(folder.0.join(format!(".s.PGSQL.{port}"))).unwrap();
        let (visits, address) = (Arc::new(AtomicUsize::new(0)), format!("127.0.0.1:{port}"));
        let seen = Arc::clone(&visits);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                seen.fetch_add(1, Ordering::Relaxed);
                let mut server = TcpStream::connect(&address).await.unwrap();
                tokio::spawn(async move {
                    // A side that ends is no error.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { folder: folder.0.clone(), visits }
    }

    /// How many connections came.
    pub fn visits(&self) -> usize {
        self.visits.load(Ordering::Relaxed)
    }
}
