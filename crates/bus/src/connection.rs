//! One connection to NATS, shared by everything in the process.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{ConnectOptions, jetstream};
use runtime::Liveness;

use crate::{
    login::{self, Login},
    names::{Namespace, is_token},
    tls::{self, TlsFiles},
};

/// Oldest server that keeps every setting of `nats/*.json` (older ones drop unknown fields
/// silently).
pub(crate) const MIN_SERVER: (u32, u32) = (2, 14);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// A server that answers none of three pings is given up, so that a frozen one of a cluster holds
/// nobody up for long; the client's own default would take three minutes.
const PING_EVERY: Duration = Duration::from_secs(4);
/// The longest pause between two attempts to reach a server that is away; the client's own would be
/// four seconds.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Where events come from; the id of the installation follows.
const SOURCE: &str = "urn:mangoes";
/// How long the last flush may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Begins the subjects on which answers come in.
const INBOX: &str = "_INBOX";

/// How the API of JetStream is reached, where the account does not have it under its usual name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum JetStreamApi {
    /// `$JS.API`.
    #[default]
    Usual,
    /// The servers of a domain: `$JS.<domain>.API`.
    Domain(String),
    /// What another account exports under a prefix of its own.
    Prefix(String),
}

impl JetStreamApi {
    fn context(&self, client: async_nats::Client) -> jetstream::Context {
        match self {
            Self::Usual => jetstream::new(client),
            Self::Domain(domain) => jetstream::with_domain(client, domain),
            Self::Prefix(prefix) => jetstream::with_prefix(client, prefix),
        }
    }

    /// Begins every subject of the API.
    fn prefix(&self) -> String {
        match self {
            Self::Usual => "$JS.API".to_owned(),
            Self::Domain(domain) => format!("$JS.{domain}.API"),
            Self::Prefix(prefix) => prefix.clone(),
        }
    }
}

/// Where NATS is and who we are.
#[derive(Debug, Clone, Default)]
pub struct BusOptions {
    /// Its address, `nats://host:4222`, several joined by commas, and who we are.
    pub login: Login,
    /// Certificates.
    pub tls: TlsFiles,
    /// Where answers come in; by default `_INBOX.<user>`, and `_INBOX` where the user is not known.
    pub inbox_prefix: Option<String>,
    /// How JetStream is reached.
    pub api: JetStreamApi,
    /// Begins the names of streams and subjects.
    pub namespace: Namespace,
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
    #[error(
        "NATS at {url} is version {version}; {}.{} or later is needed, for older ones drop \
         settings silently",
        MIN_SERVER.0,
        MIN_SERVER.1
    )]
    TooOld {
        /// The server, without its password.
        url: String,
        /// Its version.
        version: String,
    },
    /// A stream belongs to another installation.
    #[error(
        "stream {stream} at {url} belongs to the installation {owner}, and this database is the \
         installation {ours}: set NATS_URL and DATABASE_URL to servers that belong together, or, \
         if that database is gone for good, run `mangoes topology --take-over`"
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
    /// Begins every subject of JetStream's API.
    pub(crate) api: Arc<str>,
    pub(crate) namespace: Arc<Namespace>,
    /// The name by which the server knows us, where it can be known.
    user: Option<Arc<str>>,
    pub(crate) installation: Option<Arc<str>>,
    /// CloudEvents `ce-source`: which installation its events come from.
    pub(crate) source: Arc<str>,
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
        let url = runtime::mask_url(options.login.url.reveal());
        let failed = |reason: String| BusError::Connect { url: url.clone(), reason };
        let connections = Arc::<AtomicU64>::default();
        let made = Arc::clone(&connections);
        let servers = login::servers(options.login.url.reveal()).map_err(&failed)?;
        // Asked once before: the library would say no more than that it did not work.
        options.login.answer(b"").map_err(|e| failed(login::words(&e)))?;
        options.tls.check().map_err(&failed)?;
        let user = options.login.user();
        let login = Arc::new(options.login.clone());
        let connect = ConnectOptions::with_auth_callback(login::callback(&login))
            .name(&options.name)
            .custom_inbox_prefix(inbox_prefix(options.inbox_prefix.as_deref(), user.as_deref()))
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
        let connect = options.tls.applied_to(connect);
        let client = tokio::time::timeout(CONNECT_TIMEOUT * 2, connect.connect(servers))
            .await
            .map_err(|_| failed("no answer; is NATS_URL right?".to_owned()))?
            .map_err(|e| failed(reason(&e)))?;
        let version = client.server_info().version.clone();
        if older(&version) {
            return Err(BusError::TooOld { url, version });
        }
        let jetstream = options.api.context(client.clone());
        let source = options.installation.as_deref();
        let source = source.map_or_else(|| SOURCE.to_owned(), |id| format!("{SOURCE}:{id}"));
        Ok(Self {
            client,
            jetstream,
            handed_back: Arc::default(),
            connections,
            pulse: Liveness::default(),
            replicas: options.replicas,
            api: options.api.prefix().into(),
            namespace: Arc::new(options.namespace.clone()),
            user: user.map(Into::into),
            installation: options.installation.as_deref().map(Into::into),
            source: source.into(),
            url: url.into(),
            disowned: Arc::default(),
        })
    }

    /// A subject as it is at the server.
    #[must_use]
    pub fn subject(&self, name: &str) -> String {
        self.namespace.subject(name)
    }

    /// The name by which the server knows us: the user of the address, or the public key of the
    /// seed. `None`: it cannot be known.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
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
        // An error says that it is closed already.
        let _ = self.client.drain().await;
    }
}

/// After this many attempts in vain.
fn reconnect_delay(attempts: usize) -> Duration {
    let doubled = Duration::from_millis(20).saturating_mul(1 << attempts.min(10));
    if attempts <= 1 { Duration::ZERO } else { doubled.min(RECONNECT_PAUSE_MAX) }
}

/// Each user has answers of its own, which no other user may read where the server is set so.
fn inbox_prefix(given: Option<&str>, user: Option<&str>) -> String {
    match (given, user.filter(|user| is_token(user))) {
        (Some(given), _) => given.to_owned(),
        (None, Some(user)) => format!("{INBOX}.{user}"),
        (None, None) => INBOX.to_owned(),
    }
}

const CHECK_LOGIN: &str = "check user and password in NATS_URL, or NATS_CREDS or NATS_NKEY";

fn reason(error: &async_nats::ConnectError) -> String {
    let text = runtime::chain(error);
    if let Some(remedy) = tls::remedy(error) {
        return format!("{text}; {remedy}");
    }
    match error.kind() {
        // Its cause says the same once more.
        async_nats::ConnectErrorKind::AuthorizationViolation => {
            format!("{}; {CHECK_LOGIN}", error.kind())
        }
        async_nats::ConnectErrorKind::Authentication => format!("{text}; {CHECK_LOGIN}"),
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
    fn each_user_has_answers_of_its_own() {
        for (given, user, expected) in [
            (None, None, "_INBOX"),
            (None, Some("ingest"), "_INBOX.ingest"),
            (None, Some("a.b"), "_INBOX"),
            (Some("mine"), Some("ingest"), "mine"),
        ] {
            assert_eq!(inbox_prefix(given, user), expected);
        }
    }

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
}
