//! Runs services: all of them (`up`) or one; drains on SIGTERM and Ctrl-C.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use outbox::relay_child;
use ractor::{Actor, ActorRef};
use runtime::{ChildSpec, Config, Root, RootArgs, RootMsg, Secret};
use store::DatabaseClock;
use tmdb_sim::Sim;
use tokio::{signal::unix, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    health, show,
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
        let tools = operator::Tools {
            bus: world.bus.clone(),
            store: world.store.clone(),
            tmdb_rate: config.tmdb_rate,
            drain: drain.clone(),
        };
        services.add("operator", operator::children(&tools)).await?;
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
        let (root, handle) = Actor::spawn(None, Root(name), args)
            .await
            .with_context(|| format!("{name} does not start"))?;
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

    /// Stops pulling, finishes what is in hand, then stops the rest. Returns the services that had
    /// not finished in time.
    pub(crate) async fn drain(self) -> Vec<&'static str> {
        let deadline = tokio::time::Instant::now() + GRACE;
        self.drain.cancel();
        if let Some(upstream) = &self.upstream {
            upstream.client.drain();
        }
        let (serving, draining): (Vec<_>, Vec<_>) =
            self.roots.into_iter().partition(|(name, ..)| *name == "outbox");
        let mut unfinished = Vec::new();
        for (name, root, handle) in draining {
            if tokio::time::timeout_at(deadline, handle).await.is_err() {
                warn!(
                    service = name,
                    "did not drain in time; its messages will be delivered again"
                );
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

/// A wrong clock of this machine harms nothing that is compared, but whoever reads its logs should
/// know.
fn say_clock_offset(clock: &DatabaseClock) {
    let offset = clock.offset();
    if offset.abs() > CLOCK_OFFSET_WORTH_A_WORD {
        warn!(
            offset_secs = offset.as_seconds_f64(),
            "this machine's clock is not the database's; the database's is used"
        );
    }
}

fn children(
    part: Part,
    world: &World,
    config: &Config,
    (tmdb, drain, clock): (Option<&tmdb::Client>, &CancellationToken, &Arc<DatabaseClock>),
) -> Result<Vec<ChildSpec>> {
    let (bus, store, clock, drain) =
        (world.bus.clone(), world.store.clone(), Arc::clone(clock), drain.clone());
    let client = || tmdb.cloned().context("this service needs TMDB");
    Ok(match part {
        Part::Scheduler => {
            let housekeeping =
                maintenance::Tools { bus: bus.clone(), store: store.clone(), drain: drain.clone() };
            let tools = scheduler::Tools { bus, store, clock, drain };
            let mut children = scheduler::children(&tools, scheduler::Config::default());
            children.extend(maintenance::children(&housekeeping));
            children
        }
        Part::Scanner => {
            let tools = staleness_scanner::Tools { bus, store, drain };
            staleness_scanner::children(&tools, config.refresh_mode)
        }
        Part::Ingest => {
            ingest::children(&ingest::Tools { bus, store, tmdb: client()?, clock, drain })
        }
        Part::Refresh => {
            refresh::children(&refresh::Tools { bus, store, tmdb: client()?, clock, drain })
        }
    })
}

/// What `mangoes up` may be told.
#[derive(Debug)]
pub(crate) struct UpOptions {
    /// The simulator in TMDB's place.
    pub(crate) demo: bool,
    /// The recorded answers that it serves.
    pub(crate) recorded: Option<PathBuf>,
    /// Start an embedded server beside the one that is set.
    pub(crate) embed_missing: bool,
}

/// A server of somebody else is joined only with the database that belongs to it: an empty one
/// beside it would publish events of its own there.
fn check_pair(config: &Config, embed_missing: bool) -> Result<(), runtime::ConfigError> {
    let (set, missing) = match (&config.nats_url, &config.database_url) {
        (Some(_), None) => ("NATS_URL", "DATABASE_URL"),
        (None, Some(_)) => ("DATABASE_URL", "NATS_URL"),
        (Some(_), Some(_)) | (None, None) => return Ok(()),
    };
    if embed_missing {
        return Ok(());
    }
    Err(runtime::ConfigError(format!(
        "{set} is set and {missing} is not: set both to servers that belong together, unset both to use embedded servers, \
         or say --embed-missing to start an embedded server beside the one that is set"
    )))
}

/// Everything in one process.
pub(crate) async fn up(mut config: Config, options: UpOptions) -> Result<()> {
    check_pair(&config, options.embed_missing)?;
    let sim = match options.demo {
        true => Some(simulator(&mut config, options.recorded).await?),
        false => None,
    };
    upstream::check_present(&config)?;
    upstream::check(&config).await?;
    let mut world =
        World::start(&config, Wanted { well_known_port: true, connections: world::CONNECTIONS })
            .await?;
    let (services, address) = match begin(&world, &config, &ALL).await {
        Ok(started) => started,
        Err(e) => {
            world.stop().await?;
            return Err(e);
        }
    };
    // From here on a signal asks for a drain.
    let term = unix::signal(unix::SignalKind::terminate())?;
    world.announce(&config.data_dir, sim.as_ref().map(Sim::base_url), address.to_string());
    say_how_to_reach(&config, &world, sim.as_ref(), address);
    until_stopped(services, world, term).await?;
    if let Some(sim) = sim {
        sim.stop().await;
    }
    Ok(())
}

fn say_how_to_reach(config: &Config, world: &World, sim: Option<&Sim>, address: SocketAddr) {
    let tmdb = match sim {
        Some(sim) => format!("the built-in simulator, with invented movies: {}", sim.base_url()),
        None => runtime::mask_url(&config.tmdb_base_url),
    };
    let directory = match config.data_dir.to_str() {
        Some(".mangoes") | None => String::new(),
        Some(other) => format!(" --data-dir '{other}'"),
    };
    for line in [
        "mangoes is up: all services run in this process. Stop: Ctrl-C".to_owned(),
        format!("  health    http://{address}/readyz"),
        format!("  metrics   http://{address}/metrics"),
        format!("  TMDB      {tmdb}"),
        format!("  NATS      {}", runtime::mask_url(world.nats_url.reveal())),
        format!("  Postgres  {}", runtime::mask_url(world.database_url.reveal())),
        "In another shell:".to_owned(),
        format!(
            "  eval \"$(mangoes{directory} config --env)\"     # NATS_URL and DATABASE_URL with their passwords"
        ),
        "  nats pub -J movies.ingest.movie '{\"tmdb_id\": 603}'".to_owned(),
        "  nats sub 'movies.changed.>'".to_owned(),
        "  mangoes status".to_owned(),
    ] {
        show::line(&line);
    }
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
        upstream::check_present(&config)?;
        upstream::check(&config).await?;
    }
    let world = World::start(
        &config,
        Wanted { well_known_port: false, connections: world::CONNECTIONS_ALONE },
    )
    .await?;
    let (services, listen) = begin(&world, &config, &[part]).await?;
    let term = unix::signal(unix::SignalKind::terminate())?;
    info!(service = part.name(), %listen, "runs");
    until_stopped(services, world, term).await
}

/// The simulator in place of TMDB.
pub(crate) async fn simulator(config: &mut Config, recorded: Option<PathBuf>) -> Result<Sim> {
    let sim = Sim::start(tmdb_sim::Options { recorded, ..Default::default() }).await?;
    config.tmdb_base_url = sim.base_url();
    config.tmdb_credential = Some(Secret::new("simulated".to_owned()));
    Ok(sim)
}

async fn until_stopped(mut services: Services, world: World, mut term: unix::Signal) -> Result<()> {
    let gave_up = tokio::select! {
        _ = term.recv() => None,
        result = tokio::signal::ctrl_c() => { result?; None }
        name = services.failed() => Some(name),
        // Draining would wait for what never comes back.
        why = vitals::lost(world.bus.clone(), world.store.clone()) => {
            bail!("{why}")
        }
    };
    show::note(&format!("mangoes: draining, at most {} s …", GRACE.as_secs()));
    let unfinished = services.drain().await;
    let handed_back = world.bus.handed_back();
    world.stop().await?;
    match handed_back {
        _ if !unfinished.is_empty() => {
            let names = unfinished.join(", ");
            show::note(&format!(
                "mangoes: stopped before {names} had finished; what was in flight there will be delivered again"
            ));
        }
        0 => show::note("mangoes: stopped; nothing was left in flight"),
        n => show::note(&format!(
            "mangoes: stopped; {n} messages were handed back unfinished and will be delivered again"
        )),
    }
    match gave_up {
        Some(name) => bail!("{name} gave up after too many restarts; the log says why"),
        None => Ok(()),
    }
}
