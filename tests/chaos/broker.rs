//! The broker: one server, or a cluster of three that keeps three copies of each stream. A proxy
//! stands before each.

use std::{path::Path, time::Duration};

use async_nats::jetstream;
use embedded::{Member, Nats, Options, free_port, new_password};
use futures::future::join_all;
use tests::{Mode, Proxy};

const STREAMS: [&str; 5] =
    ["MOVIES_TICKS", "MOVIES_INGEST", "MOVIES_STALE", "MOVIES_EVENTS", "MOVIES_DEAD"];

pub(crate) struct Broker {
    pub(crate) servers: Vec<Nats>,
    ways: Vec<Proxy>,
}

fn joined(urls: impl Iterator<Item = String>) -> String {
    urls.collect::<Vec<_>>().join(",")
}

fn address(url: &str) -> std::net::SocketAddr {
    tests::nats_login(url).0.parse().unwrap()
}

/// A client that notices soon when its server is frozen.
pub(crate) async fn connect(urls: &str) -> Result<async_nats::Client, async_nats::ConnectError> {
    let servers: Vec<async_nats::ServerAddr> =
        urls.split(',').map(|url| url.parse().unwrap()).collect();
    let mut options = async_nats::ConnectOptions::new().ping_interval(Duration::from_secs(1));
    // The library takes user and password from its options alone.
    if let Some((user, password)) = servers.first().and_then(|s| s.username().zip(s.password())) {
        options = options.user_and_password(user.to_owned(), password.to_owned());
    }
    options.connect(servers).await
}

impl Broker {
    /// `size`: 1 or 3.
    pub(crate) async fn start(folder: &Path, size: usize) -> Self {
        let ports: Vec<u16> = (0..size).map(|_| free_port().unwrap()).collect();
        let password = new_password().unwrap();
        let servers = join_all((0..size).map(|n| {
            let options = Options {
                data_dir: folder.join(format!("nats-{n}")),
                nats_port: None,
                durable: true,
            };
            let peers = ports.iter().copied().filter(|port| *port != ports[n]).collect();
            let member = Member {
                name: format!("nats-{n}"),
                port: ports[n],
                peers,
                password: password.clone(),
            };
            async move {
                let started = if size == 1 {
                    Nats::start(&options).await
                } else {
                    Nats::start_member(&options, member).await
                };
                started.unwrap()
            }
        }))
        .await;
        let ways =
            join_all(servers.iter().map(|server| Proxy::start(address(&server.nats_url())))).await;
        Self { servers, ways }
    }

    /// The servers themselves, for the oracle.
    pub(crate) fn url(&self) -> String {
        joined(self.servers.iter().map(Nats::nats_url))
    }

    /// The way through the proxies, for the services.
    pub(crate) fn url_through_proxies(&self) -> String {
        joined(self.ways.iter().zip(&self.servers).map(|(way, server)| {
            let url = server.nats_url();
            let (credentials, _) = url.rsplit_once('@').unwrap();
            format!("{credentials}@{}", way.address)
        }))
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.ways.iter().for_each(|way| way.set(mode));
    }

    pub(crate) fn cut(&self) {
        self.ways.iter().for_each(Proxy::cut);
    }

    pub(crate) fn silence(&self) {
        self.ways.iter().for_each(Proxy::silence);
    }

    /// The server that leads a stream; `None` while there is no leader.
    pub(crate) async fn leader(&self, stream: &str) -> Option<usize> {
        let jetstream = jetstream::new(connect(&self.url()).await.ok()?);
        let stream = jetstream.get_stream(stream).await.ok()?;
        let name = stream.cached_info().cluster.as_ref()?.leader.clone()?;
        name.strip_prefix("nats-")?.parse().ok()
    }

    /// Whether every copy of every stream has all that its leader has.
    pub(crate) async fn has_caught_up(&self) -> bool {
        let Ok(client) = connect(&self.url()).await else { return false };
        let jetstream = jetstream::new(client);
        for stream in STREAMS {
            let Ok(stream) = jetstream.get_stream(stream).await else { return false };
            let info = stream.cached_info();
            let Some(cluster) = &info.cluster else { return false };
            let copies = cluster
                .replicas
                .iter()
                .filter(|r| r.current && !r.offline && r.lag.unwrap_or(0) == 0)
                .count();
            if cluster.leader.is_none() || copies + 1 < self.servers.len() {
                return false;
            }
        }
        true
    }

    /// Makes another server the leader of a stream.
    pub(crate) async fn step_down(&self, stream: &str) {
        if let Ok(client) = connect(&self.url()).await {
            let asked =
                client.request(format!("$JS.API.STREAM.LEADER.STEPDOWN.{stream}"), "".into());
            // Where it has no leader nobody answers: then there is nothing to step down from.
            let _ = tokio::time::timeout(Duration::from_secs(3), asked).await;
        }
    }

    pub(crate) fn any_stream(dice: &mut tests::Dice) -> &'static str {
        STREAMS[usize::try_from(dice.roll(STREAMS.len() as u64)).unwrap()]
    }
}
