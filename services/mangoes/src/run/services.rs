//! The services of a process: started, watched, drained in the right order.

use std::time::Duration;

use anyhow::{Context, Result};
use outbox::relay_child;
use ractor::{Actor, ActorRef};
use runtime::{ChildSpec, Config, Root, RootArgs, RootMsg};
use store::DatabaseClock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{servers::Servers, tmdb::Upstream};

/// How long a drain may take.
pub(crate) const GRACE: Duration = Duration::from_secs(20);
/// How long the rest may take after it: events of the last work, the log of calls.
const LAST_STEPS: Duration = Duration::from_secs(3);
/// A larger offset of this machine's clock is logged at the start.
pub(crate) const CLOCK_OFFSET_LOGGED: time::Duration = time::Duration::seconds(2);
/// The root that publishes what the others write: it stops after them.
const OUTBOX: &str = "outbox";

/// A service that can be run by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Service {
    /// Fires jobs at their times; removes old rows.
    Scheduler,
    /// Brings movies and lists in.
    Ingest,
    /// Finds movies that are due and queues them.
    StalenessScanner,
    /// Refreshes movies from TMDB.
    Refresh,
}

impl Service {
    pub(crate) const ALL: [Self; 4] =
        [Self::Scheduler, Self::Ingest, Self::StalenessScanner, Self::Refresh];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Ingest => "ingest",
            Self::StalenessScanner => "staleness-scanner",
            Self::Refresh => "refresh",
        }
    }

    pub(crate) const fn calls_tmdb(self) -> bool {
        match self {
            Self::Ingest | Self::Refresh => true,
            Self::Scheduler | Self::StalenessScanner => false,
        }
    }
}

/// A root of the supervision tree, with its children.
struct RunningRoot {
    name: &'static str,
    actor: ActorRef<RootMsg>,
    handle: JoinHandle<()>,
}

/// Running services.
pub(crate) struct Services {
    pub(crate) drain: CancellationToken,
    upstream: Option<Upstream>,
    roots: Vec<RunningRoot>,
}

impl Services {
    /// Starts these services, and what every process has beside them: the outbox relay and the
    /// operator's NATS service.
    pub(crate) async fn start(
        servers: &Servers,
        config: &Config,
        wanted: &[Service],
    ) -> Result<Self> {
        let drain = CancellationToken::new();
        let upstream = if wanted.iter().any(|service| service.calls_tmdb()) {
            Some(Upstream::start(config, &servers.store)?)
        } else {
            None
        };
        let mut services = Self { drain: drain.clone(), upstream, roots: Vec::new() };
        let relay = relay_child(servers.bus.clone(), servers.store.clone());
        services.add(OUTBOX, vec![relay]).await?;
        let tools = operator::Tools {
            bus: servers.bus.clone(),
            store: servers.store.clone(),
            tmdb_rate: config.tmdb_rate,
            drain: drain.clone(),
        };
        services.add("operator", operator::children(&tools)).await?;
        let clock = DatabaseClock::start(&servers.store).await?;
        log_clock_offset(&clock);
        let shared = Shared { servers, config, tmdb: services.tmdb(), drain, clock };
        for service in wanted {
            services.add(service.name(), shared.children(*service)?).await?;
        }
        Ok(services)
    }

    /// The client of this process, where a service calls TMDB.
    pub(crate) fn tmdb(&self) -> Option<tmdb::Client> {
        self.upstream.as_ref().map(|upstream| upstream.client.clone())
    }

    async fn add(&mut self, name: &'static str, children: Vec<ChildSpec>) -> Result<()> {
        let args = RootArgs { children, drain: self.drain.clone() };
        let (actor, handle) = Actor::spawn(None, Root(name), args)
            .await
            .with_context(|| format!("{name} does not start"))?;
        self.roots.push(RunningRoot { name, actor, handle });
        Ok(())
    }

    /// Returns when a root has given up, with its name.
    pub(crate) async fn failed(&mut self) -> &'static str {
        let ends = self.roots.iter_mut().map(|root| {
            Box::pin(async move {
                // However it ended: a root that is gone serves no more.
                let _ = (&mut root.handle).await;
                root.name
            })
        });
        futures::future::select_all(ends).await.0
    }

    /// Stops pulling, finishes what is in flight, then stops the rest. Returns the services that
    /// had not finished in time.
    pub(crate) async fn drain(self) -> Vec<&'static str> {
        let deadline = tokio::time::Instant::now() + GRACE;
        self.drain.cancel();
        if let Some(upstream) = &self.upstream {
            upstream.client.drain();
        }
        let (last, first): (Vec<_>, Vec<_>) =
            self.roots.into_iter().partition(|root| root.name == OUTBOX);
        let mut unfinished = Vec::new();
        for root in first {
            if tokio::time::timeout_at(deadline, root.handle).await.is_err() {
                warn!(
                    service = root.name,
                    "did not drain in time; its messages will be delivered again"
                );
                root.actor.kill();
                unfinished.push(root.name);
            }
        }
        if let Some(upstream) = &self.upstream {
            upstream.flush().await;
        }
        for root in last {
            root.actor.stop(None);
            if tokio::time::timeout_at(deadline + LAST_STEPS, root.handle).await.is_err() {
                root.actor.kill();
            }
        }
        unfinished
    }
}

/// A wrong clock of this machine harms nothing that is compared, but misleads who reads its logs.
fn log_clock_offset(clock: &DatabaseClock) {
    let offset = clock.offset();
    if offset.abs() > CLOCK_OFFSET_LOGGED {
        warn!(
            offset_secs = offset.as_seconds_f64(),
            "this machine's clock differs from the database's, which is the one that is used"
        );
    }
}

/// What the services of a process share.
struct Shared<'a> {
    servers: &'a Servers,
    config: &'a Config,
    tmdb: Option<tmdb::Client>,
    drain: CancellationToken,
    clock: DatabaseClock,
}

impl Shared<'_> {
    fn children(&self, service: Service) -> Result<Vec<ChildSpec>> {
        let (bus, store) = (self.servers.bus.clone(), self.servers.store.clone());
        let (clock, drain) = (self.clock.clone(), self.drain.clone());
        let client = || self.tmdb.clone().context("this service needs TMDB");
        Ok(match service {
            Service::Scheduler => {
                let housekeeping = maintenance::Tools {
                    bus: bus.clone(),
                    store: store.clone(),
                    drain: drain.clone(),
                };
                let tools = scheduler::Tools { bus, store, drain };
                let mut children = scheduler::children(&tools);
                children.extend(maintenance::children(&housekeeping));
                children
            }
            Service::StalenessScanner => {
                let tools = staleness_scanner::Tools { bus, store, drain };
                staleness_scanner::children(&tools, self.config.refresh_mode)
            }
            Service::Ingest => {
                let tools = ingest::Tools { bus, store, tmdb: client()?, clock, drain };
                ingest::children(&tools, self.config.refresh_mode)
            }
            Service::Refresh => {
                let tools = refresh::Tools { bus, store, tmdb: client()?, clock, drain };
                refresh::children(&tools, self.config.refresh_mode)
            }
        })
    }
}
