//! A nats-server with `nats/users.conf`, or with settings of a test's own: one with certificates,
//! limits of an account, a domain.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use embedded::{free_port, nats_server};
use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::{
    eventually::{PATIENCE, Wait},
    folder::Folder,
    nats::PlainNats,
    program::Process,
};

/// Where a server listens.
const HOST: &str = "127.0.0.1";
/// Ends every password.
const PASSWORD: &str = "-sesame";

/// A running server. Killed when it is dropped.
#[derive(Debug)]
pub struct SecuredNats {
    folder: PathBuf,
    host: &'static str,
    port: u16,
    process: Process,
    /// The users of `nats/users.conf`, whose passwords the server finds in its environment.
    users: Vec<String>,
}

impl SecuredNats {
    /// One with the users of `nats/users.conf`.
    pub async fn with_users(folder: &Folder) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nats");
        let users = fs::read_to_string(root.join("users.conf")).unwrap();
        let named = users.lines().filter_map(|line| line.split_once("user: "));
        let names = named.filter_map(|(_, rest)| rest.split([',', ' ']).next());
        let names: Vec<String> = names.map(ToOwned::to_owned).collect();
        Self::start_with(folder, HOST, &users, names).await
    }

    /// One with these settings.
    pub async fn with_settings(folder: &Folder, settings: &str) -> Self {
        Self::start_with(folder, HOST, settings, Vec::new()).await
    }

    /// One that listens at another address of this machine.
    pub async fn at(folder: &Folder, host: &'static str, settings: &str) -> Self {
        Self::start_with(folder, host, settings, Vec::new()).await
    }

    async fn start_with(
        folder: &Folder,
        host: &'static str,
        settings: &str,
        users: Vec<String>,
    ) -> Self {
        let folder = folder.0.join("secured");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("nats.conf"), settings).unwrap();
        let port = free_port().unwrap();
        let process = start(&folder, &format!("{host}:{port}"), &users);
        let server = Self { folder, host, port, process, users };
        server.answers().await;
        server
    }

    /// Ends it with kill -9, and starts it again; without its store when that is deleted before.
    pub async fn start_again(&mut self) {
        self.process.kill();
        self.process = start(&self.folder, &self.address(), &self.users);
        self.answers().await;
    }

    /// Ends it and deletes all its streams; it starts again with an empty store.
    pub async fn lose_store(&mut self) {
        self.process.kill();
        fs::remove_dir_all(self.folder.join("store")).unwrap();
        self.start_again().await;
    }

    /// Has it read other settings.
    pub fn change_settings(&self, settings: &str) {
        fs::write(self.folder.join("nats.conf"), settings).unwrap();
        self.process.signal(Signal::HUP);
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The address of a user of `nats/users.conf`.
    pub fn url(&self, user: &str) -> String {
        format!("nats://{user}:{}@{}", password(user), self.address())
    }

    /// A plain client that logs in as this user.
    pub fn plain(&self, user: &str) -> PlainNats {
        PlainNats::at(&self.url(user))
    }

    /// The users that it knows.
    pub fn users(&self) -> &[String] {
        &self.users
    }

    async fn answers(&self) {
        let log = self.folder.join("log");
        let look = async || TcpStream::connect(self.address()).await.is_ok();
        Wait::within(PATIENCE).showing(&log).until("nats-server answers", look, |ok| *ok).await;
    }
}

/// Begins with a letter: NATS reads a value that looks like a number as one.
fn password(user: &str) -> String {
    format!("{user}{PASSWORD}")
}

fn start(folder: &Path, address: &str, users: &[String]) -> Process {
    let (host, port) = address.split_once(':').unwrap();
    let mut command = Command::new(nats_server(folder).unwrap());
    command
        .arg("-c")
        .arg(folder.join("nats.conf"))
        .args(["-a", host, "-p", port, "-js", "-sd"])
        .arg(folder.join("store"))
        .stdin(Stdio::null());
    for user in users {
        let variable = user.to_uppercase().replace('-', "_");
        command.env(format!("{variable}_PASSWORD"), password(user));
    }
    Process::start(&mut command, &folder.join("log"))
}
