//! The life of a process with services: address, start, wait for the end, drain.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use runtime::Config;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    servers::Servers,
    services::{GRACE, Service, Services},
};
use crate::{
    health::{self, watchdog},
    output,
};

/// A process whose services run.
pub(super) struct Process {
    servers: Servers,
    services: Services,
    pub(super) address: SocketAddr,
    terminated: Signal,
}

impl Process {
    /// Starts the services. The address comes first: where another program has it, no work begins.
    pub(super) async fn start(
        servers: Servers,
        config: &Config,
        wanted: &[Service],
    ) -> Result<Self> {
        match start_services(&servers, config, wanted).await {
            Ok((services, address)) => {
                // From here on a signal asks for a drain.
                let terminated = signal(SignalKind::terminate())?;
                Ok(Self { servers, services, address, terminated })
            }
            Err(error) => {
                servers.stop().await?;
                Err(error)
            }
        }
    }

    pub(super) const fn servers(&mut self) -> &mut Servers {
        &mut self.servers
    }

    /// Waits for SIGTERM, Ctrl-C or the end of a service, and drains.
    pub(super) async fn until_stopped(mut self) -> Result<()> {
        let (bus, store) = (self.servers.bus.clone(), self.servers.store.clone());
        let gave_up = tokio::select! {
            _ = self.terminated.recv() => None,
            stopped = tokio::signal::ctrl_c() => { stopped?; None }
            name = self.services.failed() => Some(name),
            // A drain would wait for what never comes back.
            why = watchdog::lost(bus, store, &self.servers.installation) => bail!("{why}"),
        };
        output::note(&format!("mangoes: draining, at most {} s …", GRACE.as_secs()));
        let unfinished = self.services.drain().await;
        let handed_back = self.servers.bus.handed_back();
        self.servers.stop().await?;
        output::note(&format!("mangoes: {}", last_words(&unfinished, handed_back)));
        match gave_up {
            Some(name) => bail!("{name} gave up after too many restarts; the log says why"),
            None => Ok(()),
        }
    }
}

async fn start_services(
    servers: &Servers,
    config: &Config,
    wanted: &[Service],
) -> Result<(Services, SocketAddr)> {
    let listener = health::http::bind(&config.listen).await?;
    let services = Services::start(servers, config, wanted).await?;
    let process = health::Process {
        bus: servers.bus.clone(),
        store: servers.store.clone(),
        tmdb: services.tmdb(),
        drain: services.drain.clone(),
    };
    let address = health::http::serve(listener, process)?;
    Ok((services, address))
}

fn last_words(unfinished: &[&str], handed_back: u64) -> String {
    if !unfinished.is_empty() {
        return format!(
            "stopped before {} had finished; messages in flight there will be delivered again",
            unfinished.join(", ")
        );
    }
    if handed_back > 0 {
        return format!(
            "stopped; {handed_back} unfinished messages were given back and will be delivered again"
        );
    }
    "stopped; nothing was left in flight".to_owned()
}
