//! The stage: servers with a proxy before each, the simulator, the fleet, the oracle.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use embedded::{Options, Postgres};
use serde_json::Value;
use tests::{
    Dice, Folder, Mode, Proxy, Said, build_shim, http_get, last_lines, mangoes, simulator,
};
use tmdb_sim::{Faults, Sim};
use tokio_util::sync::CancellationToken;

use crate::{
    broker::{self, Broker},
    fleet::{Fleet, Settings},
    oracle::{Oracle, Shared, Titles, questions},
};

/// Calls per second of all processes together.
pub(crate) const RATE: u32 = 40;
/// One of so many handlers panics.
const PANIC_EVERY: &str = "150";
/// Pages of a list from which the oracle takes its movies.
const PAGES: u32 = 10;

/// How long a fresh cluster may take to choose its leaders, and a copy to catch up.
const CLUSTER_LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Scene {
    pub(crate) sim: Sim,
    pub(crate) broker: Broker,
    pub(crate) postgres: Postgres,
    pub(crate) to_postgres: Proxy,
    pub(crate) fleet: Fleet,
    pub(crate) oracle: Shared,
    pub(crate) violations: Vec<String>,
    pub(crate) folder: Folder,
}

/// Host and port of the database.
fn host(database_url: &str) -> &str {
    database_url.rsplit_once('@').and_then(|(_, rest)| rest.split('/').next()).unwrap()
}

/// What a scene is set with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Props<'a> {
    pub(crate) name: &'a str,
    /// A safeguard that is off.
    pub(crate) without: &'a str,
    /// NATS servers: 1 or 3.
    pub(crate) servers: usize,
}

impl Scene {
    pub(crate) async fn set(props: Props<'_>) -> Self {
        let folder = Folder::new(props.name);
        let sim = simulator().await;
        let titles = titles(&sim.base_url()).await;
        let options =
            Options { data_dir: folder.0.join("postgres"), nats_port: None, durable: true };
        let postgres = Postgres::start(&options).await.unwrap();
        let broker = Broker::start(&folder.0, props.servers).await;
        let to_postgres = Proxy::start(host(&postgres.database_url()).parse().unwrap()).await;
        let settings = Settings {
            shim: build_shim(&folder.0),
            env: env(&sim, &broker, &way(&postgres, &to_postgres), props),
            folder: folder.0.clone(),
        };
        make_ready(&settings);
        let (nats_url, database_url) = (broker.url(), postgres.database_url());
        let oracle = Oracle::new(nats_url, database_url, sim.control(), titles).await;
        oracle.execute(questions::SET_JOBS).await;
        let fleet = Fleet::start(settings);
        Self { sim, broker, postgres, to_postgres, fleet, oracle, violations: Vec::new(), folder }
    }

    /// Of a cluster: until every copy has all that its leader has.
    pub(crate) async fn until_caught_up(&mut self) {
        let begun = Instant::now();
        while !self.broker.has_caught_up().await {
            assert!(begun.elapsed() < CLUSTER_LIMIT, "the copies of the streams do not catch up");
            self.wait(Duration::from_millis(200)).await;
        }
    }

    /// The replicas that do not say that they are ready, with what they say.
    pub(crate) async fn not_ready(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (n, replica) in self.fleet.replicas.iter().enumerate() {
            let Some(health) = self.fleet.health(n) else {
                found.push(format!("{} is not there", replica.name));
                continue;
            };
            match http_get(health, "/readyz", "").await {
                Some((200, _)) => {}
                said => found.push(format!("{}: {said:?}", replica.name)),
            }
        }
        found
    }

    /// Waits, while whoever ends is started again.
    pub(crate) async fn wait(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.fleet.tend();
            tokio::time::sleep(
                Duration::from_millis(50).min(end.saturating_duration_since(Instant::now())),
            )
            .await;
        }
    }

    pub(crate) async fn nats_mode(&mut self, mode: Mode, span: Duration) {
        self.broker.set(mode);
        self.wait(span).await;
        self.broker.set(Mode::Pass);
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
    }

    /// Streams take no byte more: publishing is refused as by a full disk.
    pub(crate) async fn full_streams(&mut self, span: Duration) {
        let client = broker::connect(&self.broker.url()).await.unwrap();
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

/// Tables, streams and consumers. A fresh cluster has no leader at first.
fn make_ready(settings: &Settings) {
    for verb in ["migrate", "topology"] {
        let begun = Instant::now();
        loop {
            let vars = settings.env.iter().map(|(k, v)| (k, v));
            let said = Said::by(mangoes(&settings.folder).arg(verb).envs(vars));
            if said.succeeded() {
                break;
            }
            assert!(begun.elapsed() < CLUSTER_LIMIT, "{verb}: {}", said.text);
        }
    }
}

/// The way to the database through its proxy.
fn way(postgres: &Postgres, proxy: &Proxy) -> String {
    let url = postgres.database_url();
    url.replace(host(&url), &proxy.address.to_string())
}

fn env(sim: &Sim, broker: &Broker, database_url: &str, props: Props<'_>) -> Vec<(String, String)> {
    let pairs = [
        ("NATS_URL", broker.url_through_proxies()),
        ("NATS_REPLICAS", props.servers.to_string()),
        ("DATABASE_URL", database_url.to_owned()),
        ("TMDB_BASE_URL", sim.base_url()),
        ("TMDB_TOKEN", "sesame".to_owned()),
        ("TMDB_RATE", RATE.to_string()),
        ("MANGOES_PANIC", PANIC_EVERY.to_owned()),
        ("MANGOES_WITHOUT", props.without.to_owned()),
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
    let (host, prefix) = base_url.trim_start_matches("http://").split_once('/').unwrap();
    let path = format!("/{prefix}{path}");
    let (_, body) =
        http_get(host.parse().unwrap(), &path, "Authorization: Bearer sesame\r\n").await.unwrap();
    serde_json::from_str(&body).unwrap()
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
    last_lines(&folder.join(format!("{name}.log")), lines)
}
