//! Runs services: all of them (`up`) or one; drains on SIGTERM and Ctrl-C.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use ractor::{Actor, ActorRef};
use runtime::{ChildSpec, Config, Root, RootArgs, RootMsg, Secret};
use store::DatabaseClock;
use tmdb_sim::Sim;
use tokio::{signal::unix, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    health,
    relay::relay_child,
    show,
    upstream::{self, Upstream},
    vitals,
    world::{self, Wanted, World},
};

/// How long a drain may take.
const GRACE: Duration = Duration::from_secs(20);
/// How long the rest may take after it: events of the last work, the log of calls.
const LAST_STEPS: Duration = Duration::from_secs(3);

/// Said at the start from this offset on.
const CLOCK_OFFSET_WORTH_A_WORD: time::Duration = time::Duration::seconds(2);

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Scheduler,
    Ingest,
    Scanner,
    Refresh,
}

const ALL: [Part; 4] = [Part::Scheduler, Part::Ingest, Part::Scanner, Part::Refresh];

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Ingest => "ingest",
            Self::Scanner => "staleness-scanner",
            Self::Refresh => "refresh",
        }
    }

    const fn calls_tmdb(self) -> bool {
        matches!(self, Self::Ingest | Self::Refresh)
    }
}

/// Running services.
pub(crate) struct Services {
    drain: CancellationToken,
    upstream: Option<Upstream>,
    roots: Vec<(&'static str, ActorRef<RootMsg>, JoinHandle<()>)>,
}

impl Services {
    /// Starts the roots of these services.
    pub(crate) async fn start(world: &World, config: &Config, parts: &[Part]) -> Result<Self> {
        let drain = CancellationToken::new();
        let upstream = match parts.iter().any(|p| p.calls_tmdb()) {
            true => Some(Upstream::start(config, &world.store)?),
            false => None,
        };
        let tmdb = upstream.as_ref().map(|u| u.client.clone());
        let mut services = Self { drain: drain.clone(), upstream, roots: Vec::new() };
        services.add("outbox", vec![relay_child(world.bus.clone(), world.store.clone())]).await?;
        let tools =
            api::Tools { bus: world.bus.clone(), store: world.store.clone(), tmdb_rate: config.tmdb_rate, drain: drain.clone() };
        services.add("api", api::children(&tools)).await?;
        let clock = Arc::new(DatabaseClock::start(&world.store).await?);
        say_clock_offset(&clock);
        for part in parts {
            let children = children(*part, world, config, (tmdb.as_ref(), &drain, &clock))?;
            services.add(part.name(), children).await?;
        }
        Ok(services)
    }

    async fn add(&mut self, name: &'static str, children: Vec<ChildSpec>) -> Result<()> {
        let args = RootArgs { children, drain: self.drain.clone() };
        let (root, handle) = Actor::spawn(None, Root(name), args).await.with_context(|| format!("{name} does not start"))?;
        self.roots.push((name, root, handle));
        Ok(())
    }

    /// Returns when a root has given up.
    async fn failed(&mut self) -> &'static str {
        let ends = self.roots.iter_mut().map(|(name, _, handle)| {
            Box::pin(async move {
                // However it ended: a root that is gone serves no more.
                drop(handle.await);
                *name
            })
        });
        futures::future::select_all(ends).await.0
    }

    /// Stops pulling, finishes what is in hand, then stops the rest. Returns the services that had not finished in time.
    pub(crate) async fn drain(self) -> Vec<&'static str> {
        let deadline = tokio::time::Instant::now() + GRACE;
        self.drain.cancel();
        if let Some(upstream) = &self.upstream {
            upstream.client.drain();
        }
        let (serving, draining): (Vec<_>, Vec<_>) = self.roots.into_iter().partition(|(name, ..)| *name == "outbox");
        let mut unfinished = Vec::new();
        for (name, root, handle) in draining {
            if tokio::time::timeout_at(deadline, handle).await.is_err() {
                warn!(service = name, "did not drain in time; its messages will be delivered again");
                root.kill();
                unfinished.push(name);
            }
        }
        if let Some(upstream) = &self.upstream {
            upstream.flush().await;
        }
        for (_, root, handle) in serving {
            root.stop(None);
            if tokio::time::timeout_at(deadline + LAST_STEPS, handle).await.is_err() {
                root.kill();
            }
        }
        unfinished
    }
}

/// A wrong clock of this machine harms nothing that is compared, but whoever reads its logs should know.
fn say_clock_offset(clock: &DatabaseClock) {
    let offset = clock.offset();
    if offset.abs() > CLOCK_OFFSET_WORTH_A_WORD {
        warn!(offset_secs = offset.as_seconds_f64(), "this machine's clock is not the database's; the database's is used");
    }
}

fn children(
    part: Part,
    world: &World,
    config: &Config,
    (tmdb, drain, clock): (Option<&tmdb::Client>, &CancellationToken, &Arc<DatabaseClock>),
) -> Result<Vec<ChildSpec>> {
    let (bus, store, clock, drain) = (world.bus.clone(), world.store.clone(), Arc::clone(clock), drain.clone());
    let client = || tmdb.cloned().context("this service needs TMDB");
    Ok(match part {
        Part::Scheduler => scheduler::children(&scheduler::Tools { bus, store, clock, drain }, scheduler::Config::default()),
        Part::Scanner => {
            let tools = staleness_scanner::Tools { bus, store, clock, drain };
            staleness_scanner::children(&tools, staleness_scanner::Config { mode: config.refresh_mode })
        }
        Part::Ingest => {
            ingest::children(&ingest::Tools { bus, store, tmdb: client()?, clock, drain }, &ingest::Config::default())
        }
        Part::Refresh => {
            refresh::children(&refresh::Tools { bus, store, tmdb: client()?, clock, drain }, &refresh::Config::default())
        }
    })
}

/// Everything in one process.
pub(crate) async fn up(mut config: Config, demo: bool, recorded: Option<PathBuf>) -> Result<()> {
    if config.tmdb_credential.is_none() && !demo {
        bail!(runtime::ConfigError(
            "there is no TMDB credential: set TMDB_TOKEN (or TMDB_API_KEY), or use `mangoes up --demo` with the built-in simulator".to_owned()
        ));
    }
    let sim = match demo {
        true => Some(simulator(&mut config, recorded).await?),
        false => None,
    };
    upstream::check(&config).await?;
    let world = World::start(&config, Wanted { well_known_port: true, connections: world::CONNECTIONS }).await?;
    let (services, address) = match begin(&world, &config, &ALL).await {
        Ok(started) => started,
        Err(e) => {
            world.stop().await?;
            return Err(e);
        }
    };
    show::line(&format!("mangoes is up.  health: http://{address}/readyz   stop: Ctrl-C"));
    show::line(&format!("  export NATS_URL={}", runtime::mask_url(world.nats_url.reveal())));
    show::line("  nats pub movies.ingest.movie '{\"tmdb_id\": 603}'    nats sub 'movies.refreshed.>'    mangoes status");
    until_stopped(services, world).await?;
    if let Some(sim) = sim {
        sim.stop().await;
    }
    Ok(())
}

/// The address first: whoever has it already is told before any work begins.
async fn begin(world: &World, config: &Config, parts: &[Part]) -> Result<(Services, SocketAddr)> {
    let listener = health::bind(&config.listen).await?;
    let services = Services::start(world, config, parts).await?;
    let watched = health::Watched {
        bus: world.bus.clone(),
        store: world.store.clone(),
        tmdb: services.upstream.as_ref().map(|u| u.client.clone()),
        drain: services.drain.clone(),
    };
    let address = health::serve(listener, watched)?;
    Ok((services, address))
}

/// One service.
pub(crate) async fn alone(config: Config, part: Part) -> Result<()> {
    if config.nats_url.is_none() || config.database_url.is_none() {
        bail!(runtime::ConfigError(format!(
            "a service alone needs NATS_URL and DATABASE_URL; `mangoes up` runs all of them with embedded servers ({} was asked for)",
            part.name()
        )));
    }
    if part.calls_tmdb() {
        if config.tmdb_credential.is_none() {
            bail!(runtime::ConfigError("there is no TMDB credential: set TMDB_TOKEN or TMDB_API_KEY".to_owned()));
        }
        upstream::check(&config).await?;
    }
    let world = World::start(&config, Wanted { well_known_port: false, connections: world::CONNECTIONS_ALONE }).await?;
    let (services, listen) = begin(&world, &config, &[part]).await?;
    info!(service = part.name(), %listen, "runs");
    until_stopped(services, world).await
}

/// The simulator in place of TMDB.
pub(crate) async fn simulator(config: &mut Config, recorded: Option<PathBuf>) -> Result<Sim> {
    let sim = Sim::start(tmdb_sim::Options { recorded, ..Default::default() }).await?;
    config.tmdb_base_url = sim.base_url();
    config.tmdb_credential = Some(Secret::new("simulated".to_owned()));
    Ok(sim)
}

async fn until_stopped(mut services: Services, world: World) -> Result<()> {
    let mut term = unix::signal(unix::SignalKind::terminate())?;
    let gave_up = tokio::select! {
        _ = term.recv() => None,
        result = tokio::signal::ctrl_c() => { result?; None }
        name = services.failed() => Some(name),
        // Draining would wait for what never comes back.
        why = vitals::lost(world.bus.clone(), world.store.clone()) => {
            bail!("{why}, although NATS and the database answer: only a new start helps; nothing is lost by it")
        }
    };
    eprintln!("mangoes: draining, at most {} s …", GRACE.as_secs());
    let unfinished = services.drain().await;
    let handed_back = world.bus.handed_back();
    world.stop().await?;
    match handed_back {
        _ if !unfinished.is_empty() => {
            let names = unfinished.join(", ");
            eprintln!("mangoes: stopped before {names} had finished; what was in hand there will be delivered again");
        }
        0 => eprintln!("mangoes: stopped; nothing was left in hand"),
        n => eprintln!("mangoes: stopped; {n} messages were handed back unfinished and will be delivered again"),
    }
    match gave_up {
        Some(name) => bail!("{name} gave up after too many restarts; the log says why"),
        None => Ok(()),
    }
}
