//! One connection to NATS, shared by everything in the process.

use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{ConnectOptions, ServerAddr, jetstream};
use runtime::{Liveness, Secret};

/// Oldest server that keeps every setting of `nats/*.json` (older ones drop unknown fields
/// silently).
pub(crate) const MIN_SERVER: (u32, u32) = (2, 14);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// A server that answers none of three pings is given up, so that a frozen one of a cluster holds
/// nobody up for long; the client's own default would take three minutes.
const PING_EVERY: Duration = Duration::from_secs(4);
/// The longest pause between two tries to reach a server that is away; the client's own would be
/// four seconds.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long the last flush may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Where NATS is and who we are.
#[derive(Debug, Clone)]
pub struct BusOptions {
    /// `nats://host:4222`, several joined by commas; may hold user and password.
    pub url: Secret,
    /// Credentials file.
    pub creds: Option<PathBuf>,
    /// Name shown in `nats server report connections`.
    pub name: String,
    /// Servers of a cluster that keep a copy of each stream, 1 to 5; stands over `num_replicas` of
    /// `nats/streams/*.json`. A stream that has more keeps them.
    pub replicas: u8,
    /// The installation that streams have to belong to: the id of its database. `None`: no database
    /// was asked, and streams keep what they say.
    pub installation: Option<String>,
}

/// Why NATS could not be used: one sentence with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// No server, or it does not let us in.
    #[error("NATS at {url} cannot be used: {reason}")]
    Connect {
        /// The server, without its password.
        url: String,
        /// What went wrong and what to do.
        reason: String,
    },
    /// The server is too old.
    #[error("NATS at {url} is version {version}; {}.{} or later is needed, for older ones drop settings silently", MIN_SERVER.0, MIN_SERVER.1)]
    TooOld {
        /// The server, without its password.
        url: String,
        /// Its version.
        version: String,
    },
    /// A stream belongs to another installation.
    #[error(
        "stream {stream} at {url} belongs to the installation {owner}, and this database is the installation {ours}: \
         set NATS_URL and DATABASE_URL to servers that belong together, or, if that database is gone for good, \
         run `mangoes topology --take-over`"
    )]
    OtherInstallation {
        /// The stream.
        stream: String,
        /// The server, without its password.
        url: String,
        /// Whose it is.
        owner: String,
        /// Who asks.
        ours: String,
    },
    /// A stream or consumer could not be made or read.
    #[error("{what}: {reason}")]
    Topology {
        /// Which one.
        what: String,
        /// What the server said.
        reason: String,
    },
    /// No stream takes a message of this size; repeating does not help.
    #[error("{subject}: {size} bytes are more than the {limit} that a message may have")]
    TooLarge {
        /// The subject.
        subject: String,
        /// What it has.
        size: usize,
        /// What it may have.
        limit: usize,
    },
    /// No stream takes a message like this; repeating does not help.
    #[error("{subject} can never be published: {reason}")]
    Unpublishable {
        /// The subject.
        subject: String,
        /// What no stream takes.
        reason: String,
    },
    /// A message was not confirmed. It may be stored all the same: repeat it with the same id.
    #[error("{subject} was not confirmed: {reason}")]
    Publish {
        /// The subject.
        subject: String,
        /// What the server said.
        reason: String,
    },
}

/// A connection with its `JetStream` context. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    pub(crate) client: async_nats::Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) handed_back: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
    pub(crate) pulse: Liveness,
    pub(crate) replicas: u8,
    pub(crate) installation: Option<Arc<str>>,
    /// The server, without its password: for messages.
    pub(crate) url: Arc<str>,
    pub(crate) disowned: Arc<OnceLock<String>>,
}

impl Bus {
    /// Connects and checks the server's version.
    ///
    /// # Errors
    /// Within about 5 s when there is no usable server.
    pub async fn connect(options: &BusOptions) -> Result<Self, BusError> {
        let url = runtime::mask_url(options.url.reveal());
        let failed = |reason: String| BusError::Connect { url: url.clone(), reason };
        let connections = Arc::<AtomicU64>::default();
        let made = Arc::clone(&connections);
        let mut connect = ConnectOptions::new()
            .name(&options.name)
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_EVERY)
            .reconnect_delay_callback(reconnect_delay)
            .event_callback(move |event| {
                if matches!(event, async_nats::Event::Connected) {
                    made.fetch_add(1, Ordering::Relaxed);
                }
                async move { log_event(&event) }
            });
        if let Some(path) = &options.creds {
            // The path is not repeated: it may be the credentials themselves, put there by mistake.
            let wrong = |e: &dyn std::fmt::Display| {
                failed(format!("NATS_CREDS must be the path of a credentials file: {e}"))
            };
            let text = std::fs::read_to_string(path).map_err(|e| wrong(&e))?;
            connect = connect.credentials(&text).map_err(|e| wrong(&e))?;
        }
        let (servers, login) = servers(options.url.reveal())
            .map_err(|e| failed(format!("NATS_URL is no usable URL: {e}")))?;
        if let Some(Login { user, password }) = login {
            connect = connect.user_and_password(user, password);
        }
        let client = tokio::time::timeout(CONNECT_TIMEOUT * 2, connect.connect(servers))
            .await
            .map_err(|_| failed("no answer; is NATS_URL right?".to_owned()))?
            .map_err(|e| failed(reason(&e)))?;
        let version = client.server_info().version.clone();
        if older(&version) {
            return Err(BusError::TooOld { url, version });
        }
        let jetstream = jetstream::new(client.clone());
        Ok(Self {
            client,
            jetstream,
            handed_back: Arc::default(),
            connections,
            pulse: Liveness::default(),
            replicas: options.replicas,
            installation: options.installation.as_deref().map(Into::into),
            url: url.into(),
            disowned: Arc::default(),
        })
    }

    /// Whether the connection stands at this moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self.client.connection_state(), async_nats::connection::State::Connected)
    }

    /// How often a connection was made.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Whether the library's own task has ended: it never connects again.
    pub async fn is_dead(&self) -> bool {
        let asked = tokio::time::timeout(CLOSE_TIMEOUT, self.client.flush()).await;
        matches!(asked, Ok(Err(e)) if e.kind() == async_nats::client::FlushErrorKind::SendError)
    }

    /// What is seen at work in this process.
    #[must_use]
    pub const fn pulse(&self) -> &Liveness {
        &self.pulse
    }

    /// Messages that a drain gave back to the broker unfinished; they will be delivered again.
    #[must_use]
    pub fn handed_back(&self) -> u64 {
        self.handed_back.load(Ordering::Relaxed)
    }

    /// Sends what is buffered and closes.
    pub async fn close(&self) {
        let flushed = tokio::time::timeout(CLOSE_TIMEOUT, self.client.flush()).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!(
                "NATS was not flushed at the end; unconfirmed messages will be sent again"
            );
        }
        // Without it the client would try to connect again until the process ends.
        drop(self.client.drain().await);
    }
}

/// After so many tries in vain.
fn reconnect_delay(tries: usize) -> Duration {
    let doubled = Duration::from_millis(20).saturating_mul(1 << tries.min(10));
    if tries <= 1 { Duration::ZERO } else { doubled.min(RECONNECT_PAUSE_MAX) }
}

/// User and password of a URL, decoded.
#[derive(Debug, PartialEq, Eq)]
struct Login {
    user: String,
    password: String,
}

/// One address, or several of a cluster joined by commas, and the first login among them. The
/// library takes a login from its options alone, and writes addresses into its log: they have none
/// any more.
fn servers(urls: &str) -> std::io::Result<(Vec<ServerAddr>, Option<Login>)> {
    let plain =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (mut servers, mut login) = (Vec::new(), None);
    for url in urls.split(',') {
        let server: ServerAddr = url.trim().parse()?;
        let password = server.password().map(plain).unwrap_or_default();
        login = login.or(server.username().map(|user| Login { user: plain(user), password }));
        let mut url = server.into_inner();
        if url.set_password(None).and_then(|()| url.set_username("")).is_err() {
            return Err(std::io::Error::other(
                "its user and password cannot be told from its host",
            ));
        }
        servers.push(ServerAddr::from_url(url)?);
    }
    Ok((servers, login))
}

fn reason(error: &async_nats::ConnectError) -> String {
    let text = runtime::chain(error);
    match error.kind() {
        async_nats::ConnectErrorKind::Authentication
        | async_nats::ConnectErrorKind::AuthorizationViolation => {
            format!("{text}; check user and password in NATS_URL, or NATS_CREDS")
        }
        async_nats::ConnectErrorKind::ServerParse
        | async_nats::ConnectErrorKind::Dns
        | async_nats::ConnectErrorKind::TimedOut
        | async_nats::ConnectErrorKind::Tls
        | async_nats::ConnectErrorKind::Io
        | async_nats::ConnectErrorKind::MaxReconnects => {
            format!(
                "{text}; is it running there? Set NATS_URL, or unset it to use an embedded server"
            )
        }
    }
}

fn log_event(event: &async_nats::Event) {
    match event {
        async_nats::Event::Connected => tracing::info!("NATS connected"),
        async_nats::Event::Closed | async_nats::Event::Draining => tracing::debug!(%event, "NATS"),
        async_nats::Event::Disconnected
        | async_nats::Event::LameDuckMode
        | async_nats::Event::SlowConsumer(_)
        | async_nats::Event::ServerError(_)
        | async_nats::Event::ClientError(_) => tracing::warn!(%event, "NATS"),
    }
}

fn older(version: &str) -> bool {
    let mut parts = version.split('.').map(|p| p.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < MIN_SERVER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, expected) in [
            ("2.9.10", true),
            ("2.14.0", false),
            ("2.15.1", false),
            ("3.0.0", false),
            ("1.99.0", true),
        ] {
            assert_eq!(older(version), expected, "{version}");
        }
    }

    #[test]
    fn user_and_password_come_from_the_url() {
        let of = |url: &str| servers(url).unwrap().1.map(|login| (login.user, login.password));
        assert_eq!(of("nats://ann:p%40ss@host:4222"), Some(("ann".to_owned(), "p@ss".to_owned())));
        assert_eq!(
            of("nats://a:4222, nats://bob:x@b:4222"),
            Some(("bob".to_owned(), "x".to_owned()))
        );
        assert_eq!(of("host:4222"), None);
        let shown = format!("{:?}", servers("nats://ann:sesame@a:1,nats://sesame@b:2").unwrap().0);
        assert!(!shown.contains("sesame"), "{shown}");
        assert!(servers("http://host").is_err());
    }
}
