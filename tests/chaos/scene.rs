//! The stage: servers with a proxy before each, the simulator, the fleet, the oracle.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use embedded::{Options, Servers};
use serde_json::{Value, json};
use tests::{Dice, Folder, build_shim, mangoes};
use tmdb_sim::{Faults, Sim};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use crate::{
    fleet::{Fleet, Settings},
    oracle::{Oracle, Shared, Titles},
    proxy::{Mode, Proxy},
};

/// Calls per second of all processes together.
pub(crate) const RATE: u32 = 40;
/// What may be in hand of one service when it is killed.
const IN_HAND: u64 = 60;
/// One of so many handlers panics.
const PANIC_EVERY: &str = "150";
/// Pages of a list from which the oracle takes its movies.
const PAGES: u32 = 10;

pub(crate) struct Scene {
    pub(crate) sim: Sim,
    pub(crate) servers: Servers,
    pub(crate) to_nats: Proxy,
    pub(crate) to_postgres: Proxy,
    pub(crate) fleet: Fleet,
    pub(crate) oracle: Shared,
    pub(crate) violations: Vec<String>,
    /// Calls of which the answer may be lost: of killed processes and to a failing TMDB.
    pub(crate) lost_tries: u64,
    pub(crate) folder: Folder,
}

fn address(url: &str) -> std::net::SocketAddr {
    let host = url.rsplit_once('@').map_or_else(|| url.trim_start_matches("nats://"), |(_, host)| host);
    host.split('/').next().unwrap().parse().unwrap()
}

impl Scene {
    /// `without`: a safeguard that is off.
    pub(crate) async fn set(name: &str, without: &str) -> Self {
        let folder = Folder::new(name);
        let sim = Sim::start(tmdb_sim::Options { credential: Some("sesame".to_owned()), ..tmdb_sim::Options::default() })
            .await
            .unwrap();
        let titles = titles(&sim.base_url()).await;
        let servers =
            Servers::start(&Options { data_dir: folder.0.join("servers"), nats_port: None, durable: true }).await.unwrap();
        let (nats_url, database_url) = (servers.nats_url(), servers.database_url());
        for verb in ["migrate", "topology"] {
            let done =
                mangoes(&folder.0).arg(verb).envs([("NATS_URL", &nats_url), ("DATABASE_URL", &database_url)]).status().unwrap();
            assert!(done.success(), "{verb}");
        }
        let (to_nats, to_postgres) = (Proxy::start(address(&nats_url)).await, Proxy::start(address(&database_url)).await);
        let oracle = Oracle::new((nats_url, database_url.clone()), sim.control(), titles).await;
        // The sweep and a beat by which the claim is seen; and a scan, so that the freshness policy is at work too.
        sqlx::raw_sql(
            "update job set enabled = false where name in ('scheduled_ingest_daily', 'scheduled_ingest_weekly', 'maintenance');
             update job set schedule = '*/5 * * * * *', payload = '{\"max_items\": 500}' where name = 'refresh_worker';
             update job set schedule = '*/7 * * * * *', overlap_policy = 'skip' where name = 'daily_refresh_enqueue';
             update job set lost_after_secs = 20;
             insert into job (name, action, payload, schedule, overlap_policy, lost_after_secs) values ('beat', 'refresh', '{\"max_items\": 1}', 'every 2s', 'allow', 20);",
        )
        .execute(&oracle.pool())
        .await
        .unwrap();
        let settings = Settings {
            shim: build_shim(&folder.0),
            env: env(&sim, (&to_nats, &to_postgres), &database_url, without),
            folder: folder.0.clone(),
        };
        let fleet = Fleet::start(settings);
        Self { sim, servers, to_nats, to_postgres, fleet, oracle, violations: Vec::new(), lost_tries: 0, folder }
    }

    /// Waits, while whoever ends is started again.
    pub(crate) async fn wait(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.fleet.tend();
            tokio::time::sleep(Duration::from_millis(50).min(end.saturating_duration_since(Instant::now()))).await;
        }
    }

    pub(crate) fn kill(&mut self, n: usize) {
        self.lost_tries += IN_HAND;
        self.fleet.kill(n);
    }

    pub(crate) async fn nats_mode(&mut self, mode: Mode, span: Duration) {
        self.to_nats.set(mode);
        self.wait(span).await;
        self.to_nats.set(Mode::Pass);
    }

    pub(crate) async fn postgres_mode(&mut self, mode: Mode, span: Duration) {
        self.to_postgres.set(mode);
        self.wait(span).await;
        self.to_postgres.set(Mode::Pass);
    }

    pub(crate) async fn upstream(&mut self, faults: Faults, span: Duration) {
        self.sim.control().fail(faults);
        self.wait(span).await;
        self.sim.control().fail(Faults::default());
        self.lost_tries += 10 * span.as_secs() * u64::from(RATE);
    }

    /// Streams take no byte more: publishing is refused as by a full disk.
    pub(crate) async fn full_streams(&mut self, span: Duration) {
        let client = async_nats::connect(self.servers.nats_url()).await.unwrap();
        let jetstream = async_nats::jetstream::new(client);
        let mut before = Vec::new();
        for name in ["MOVIES_EVENTS", "MOVIES_INGEST", "MOVIES_STALE", "MOVIES_TICKS"] {
            let Ok(mut stream) = jetstream.get_stream(name).await else { continue };
            let config = stream.info().await.unwrap().config.clone();
            let full = async_nats::jetstream::stream::Config {
                max_bytes: 1,
                discard: async_nats::jetstream::stream::DiscardPolicy::New,
                ..config.clone()
            };
            jetstream.update_stream(full).await.unwrap();
            before.push(config);
        }
        self.wait(span).await;
        for config in before {
            jetstream.update_stream(config).await.unwrap();
        }
    }
}

fn env(sim: &Sim, (nats, postgres): (&Proxy, &Proxy), database_url: &str, without: &str) -> Vec<(String, String)> {
    let through = database_url.replace(&address(database_url).to_string(), &postgres.address.to_string());
    let pairs = [
        ("NATS_URL", format!("nats://{}", nats.address)),
        ("DATABASE_URL", through),
        ("TMDB_BASE_URL", sim.base_url()),
        ("TMDB_TOKEN", "sesame".to_owned()),
        ("TMDB_RATE", RATE.to_string()),
        ("MANGOES_PANIC", PANIC_EVERY.to_owned()),
        ("MANGOES_WITHOUT", without.to_owned()),
        ("NO_COLOR", "1".to_owned()),
    ];
    pairs.map(|(k, v)| (k.to_owned(), v)).to_vec()
}

/// Some movies of the simulator, as its lists name them.
async fn titles(base_url: &str) -> Titles {
    let mut titles = Titles::new();
    for page in 1..=PAGES {
        let answer = get(base_url, &format!("/movie/popular?page={page}")).await;
        for row in answer["results"].as_array().unwrap() {
            titles.insert(row["id"].as_i64().unwrap(), row["title"].as_str().unwrap().to_owned());
        }
    }
    titles
}

async fn get(base_url: &str, path: &str) -> Value {
    let rest = base_url.trim_start_matches("http://");
    let (host, prefix) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request =
        format!("GET /{prefix}{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer sesame\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let body = text.split_once("\r\n\r\n").unwrap().1;
    let json = body.find('{').map_or(body, |at| &body[at..]);
    serde_json::Deserializer::from_str(json)
        .into_iter::<Value>()
        .next()
        .and_then(Result::ok)
        .unwrap_or_else(|| json!({"results": []}))
}

/// Submits work until it is told to stop.
pub(crate) async fn submit_until(stop: CancellationToken, oracle: Shared, mut dice: Dice) {
    let mut n = 0;
    while !stop.is_cancelled() {
        oracle.submit(&mut dice, n).await;
        n += 1;
        tokio::time::sleep(Duration::from_millis(50 + dice.roll(250))).await;
    }
}

/// The end of a service's log.
pub(crate) fn tail(folder: &Path, name: &str, lines: usize) -> String {
    let text = std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
    let tail: Vec<&str> = text.lines().rev().take(lines).collect();
    tail.into_iter().rev().collect::<Vec<_>>().join("\n")
}
