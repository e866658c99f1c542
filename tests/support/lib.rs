//! What the test binaries share: the program under test, private folders, a proxy, dice, a clock
//! that is wrong.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

mod proxy;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

pub use proxy::{Mode, Proxy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Status and body of a GET; `None` when nobody answers within three seconds.
pub async fn http_get(host: SocketAddr, path: &str, headers: &str) -> Option<(u16, String)> {
    let ask = async {
        let mut stream = TcpStream::connect(host).await?;
        stream
            .write_all(
                format!(
                    "GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
                )
                .as_bytes(),
            )
            .await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        std::io::Result::Ok(text)
    };
    let text = tokio::time::timeout(Duration::from_secs(3), ask).await.ok()?.ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// `host:port` of a NATS server's address, and what a client says there to be let in.
pub fn nats_login(url: &str) -> (&str, String) {
    let rest = url.trim_start_matches("nats://");
    let (credentials, address) = rest.rsplit_once('@').unwrap_or((":", rest));
    let (user, password) = credentials.split_once(':').unwrap();
    (address, format!("\"user\":\"{user}\",\"pass\":\"{password}\""))
}

/// The program, built once; or the one that `MANGOES_PROGRAM` names.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(path) = std::env::var_os("MANGOES_PROGRAM") {
            return path.into();
        }
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "-q", "--workspace", "--bins"]);
        // What cargo tells a test of its package would have build scripts run again, in this build
        // and in the next.
        for (name, _) in std::env::vars().filter(|(name, _)| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        }) {
            build.env_remove(name);
        }
        let done = build.status().unwrap();
        assert!(done.success(), "mangoes does not build");
        let test = std::env::current_exe().unwrap();
        test.parent().unwrap().parent().unwrap().join("mangoes")
    })
}

/// The program without any setting of the caller's environment.
pub fn mangoes(data_dir: &Path) -> Command {
    let mut command = Command::new(program());
    for name in ["NATS_URL", "DATABASE_URL", "TMDB_TOKEN", "TMDB_API_KEY", "NATS_CREDS", "RUST_LOG"]
    {
        command.env_remove(name);
    }
    command.env("MANGOES_DATA_DIR", data_dir).env("MANGOES_LISTEN", "127.0.0.1:0");
    command
}

/// How long the servers of a killed process may take to end.
const SERVERS_END_WITHIN: Duration = Duration::from_secs(10);

/// A folder that goes with its test.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// Empty, in the system's temporary folder.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mangoes-it-{}-{name}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Where root's temporary folder is closed to others, the servers' data stands elsewhere.
        if let Ok(elsewhere) = std::fs::read_to_string(self.0.join("servers-are-in")) {
            drop(std::fs::remove_dir_all(elsewhere.trim()));
        }
        // A server whose parent was killed is told so, and writes into its folder until it has
        // ended.
        let begun = Instant::now();
        while self.0.exists() && begun.elapsed() < SERVERS_END_WITHIN {
            drop(std::fs::remove_dir_all(&self.0));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Another word for a die: the same sequence in every run.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    /// 0 to `sides` - 1.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Builds the library that shifts a process's clock, for `LD_PRELOAD`; see `skewed_clock.c`.
pub fn build_shim(folder: &Path) -> PathBuf {
    let (source, library) = (
        Path::new(env!("CARGO_MANIFEST_DIR")).join("support/skewed_clock.c"),
        folder.join("skewed_clock.so"),
    );
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .status()
        .unwrap();
    assert!(built.success(), "cc, which links this test too, builds the clock");
    library
}

/// A message of a consumer, as its inbox row knows it.
#[must_use]
pub fn message(consumer: &'static str, key: &str) -> delivery::MessageRef {
    delivery::MessageRef { consumer, key: proto::MessageKey::new(key) }
}
