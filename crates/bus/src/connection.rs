//! One connection to NATS, shared by everything in the process.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{ConnectOptions, ServerAddr, jetstream};
use runtime::{Pulse, Secret};

/// Oldest server that keeps every setting of `nats/*.json` (older ones drop unknown fields silently).
pub(crate) const MIN_SERVER: (u32, u32) = (2, 14);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// A server that answers none of three pings is given up, so that a frozen one of a cluster holds nobody up for long; the
/// client's own default would take three minutes.
const PING_EVERY: Duration = Duration::from_secs(4);
/// The longest pause between two tries to reach a server that is away; the client's own would be four seconds.
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
    /// Servers of a cluster that keep a copy of each stream, 1 to 5; stands over `num_replicas` of `nats/streams/*.json`. A stream
    /// that has more keeps them.
    pub replicas: u8,
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
    pub(crate) pulse: Pulse,
    pub(crate) replicas: u8,
}

impl Bus {
    /// Connects and checks the server's version.
    ///
    /// # Errors
    /// Within about 5 s when there is no usable server.
    pub async fn connect(options: &BusOptions) -> Result<Self, BusError> {
        let url = shown(options.url.reveal());
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
            let text = std::fs::read_to_string(path).map_err(|e| failed(format!("NATS_CREDS {}: {e}", path.display())))?;
            connect = connect.credentials(&text).map_err(|e| failed(format!("NATS_CREDS {}: {e}", path.display())))?;
        }
        let servers = servers(options.url.reveal()).map_err(|e| failed(format!("NATS_URL is no usable URL: {e}")))?;
        // The library takes user and password from its options alone.
        if let Some((user, password)) = servers.iter().find_map(credentials) {
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
            pulse: Pulse::default(),
            replicas: options.replicas,
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
    pub const fn pulse(&self) -> &Pulse {
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
            tracing::warn!("NATS was not flushed at the end; unconfirmed messages will be sent again");
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

/// One address, or several of a cluster joined by commas.
fn servers(urls: &str) -> std::io::Result<Vec<ServerAddr>> {
    urls.split(',').map(|url| url.trim().parse()).collect()
}

/// User and password of a URL, decoded.
fn credentials(server: &ServerAddr) -> Option<(String, String)> {
    let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some((plain(server.username()?), plain(server.password().unwrap_or_default())))
}

fn reason(error: &async_nats::ConnectError) -> String {
    let text = runtime::chain(error);
    match error.kind() {
        async_nats::ConnectErrorKind::Authentication | async_nats::ConnectErrorKind::AuthorizationViolation => {
            format!("{text}; check user and password in NATS_URL, or NATS_CREDS")
        }
        async_nats::ConnectErrorKind::ServerParse
        | async_nats::ConnectErrorKind::Dns
        | async_nats::ConnectErrorKind::TimedOut
        | async_nats::ConnectErrorKind::Tls
        | async_nats::ConnectErrorKind::Io
        | async_nats::ConnectErrorKind::MaxReconnects => {
            format!("{text}; is it running there? Set NATS_URL, or unset it to use an embedded server")
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

/// Server URLs without user and password.
fn shown(urls: &str) -> String {
    urls.split(',').map(shown_one).collect::<Vec<_>>().join(",")
}

fn shown_one(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, _) | (_, None) => url.to_owned(),
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
        for (version, expected) in [("2.9.10", true), ("2.14.0", false), ("2.15.1", false), ("3.0.0", false), ("1.99.0", true)] {
            assert_eq!(older(version), expected, "{version}");
        }
    }

    #[test]
    fn user_and_password_come_from_the_url() {
        let of = |url: &str| servers(url).unwrap().iter().find_map(credentials);
        assert_eq!(of("nats://ann:p%40ss@host:4222"), Some(("ann".to_owned(), "p@ss".to_owned())));
        assert_eq!(of("nats://a:4222, nats://bob:x@b:4222"), Some(("bob".to_owned(), "x".to_owned())));
        assert_eq!(of("host:4222"), None);
        assert!(servers("http://host").is_err());
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(shown("nats://ann:sesame@a:1,nats://b:2"), "nats://a:1,nats://b:2");
        assert_eq!(shown("nats://ann:sesame@host:4222"), "nats://host:4222");
        assert_eq!(shown("nats://host:4222"), "nats://host:4222");
    }
}
