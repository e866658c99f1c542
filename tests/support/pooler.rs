//! PgBouncer before a Postgres.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use embedded::free_port;
use tokio::net::TcpStream;

use crate::{eventually::eventually, folder::Folder};

/// Where the packages of systems put it.
const PROGRAMS: [&str; 4] = [
    "/usr/sbin/pgbouncer",
    "/usr/bin/pgbouncer",
    "/opt/homebrew/bin/pgbouncer",
    "/usr/local/bin/pgbouncer",
];

/// A running pooler. Killed when it is dropped.
#[derive(Debug)]
pub struct Pooler {
    program: PathBuf,
    settings: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Pooler {
    /// Pools so many connections to the database of this address, in this mode: `session`,
    /// `transaction`. `None`: there is no PgBouncer here.
    pub async fn start(folder: &Folder, url: &str, mode: &str, size: u32) -> Option<Self> {
        let program = PROGRAMS.into_iter().find(|program| Path::new(program).exists())?;
        let port = free_port().unwrap();
        let settings = folder.0.join(format!("pgbouncer-{mode}.ini"));
        std::fs::write(&settings, ini(url, mode, size, port)).unwrap();
        let mut pooler = Self { program: program.into(), settings, port, child: None };
        pooler.start_again().await;
        Some(pooler)
    }

    /// The address for clients. The pooler asks for no password.
    pub fn url(&self) -> String {
        format!("postgres://mangoes@127.0.0.1:{}/mangoes", self.port)
    }

    /// Ends it at once, with all connections.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it on the same port.
    pub async fn start_again(&mut self) {
        let mut command = Command::new(&self.program);
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        command.arg(&self.settings).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        let connect = async || TcpStream::connect(("127.0.0.1", self.port)).await;
        eventually("PgBouncer answers", connect, Result::is_ok).await.unwrap();
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Its settings: nothing that a careful owner has to add for us.
fn ini(url: &str, mode: &str, size: u32, port: u16) -> String {
    let rest = url.trim_start_matches("postgres://");
    let (account, server) = rest.split_once('@').unwrap();
    let (user, password) = account.split_once(':').unwrap();
    let (host, name) = server.split_once('/').unwrap();
    let (host, server_port) = host.split_once(':').unwrap();
    format!(
        "[databases]
{name} = host={host} port={server_port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
query_wait_timeout = 5
"
    )
}
