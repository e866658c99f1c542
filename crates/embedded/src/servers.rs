//! Both servers together.

use crate::{error::EmbeddedError, nats::Nats, options::Options, postgres::Postgres};

/// Both servers, running. Dropping them asks the processes to end; [`Servers::stop`] also waits for
/// that.
#[derive(Debug)]
pub struct Servers {
    /// The message broker.
    pub nats: Nats,
    /// The database.
    pub postgres: Postgres,
}

impl Servers {
    /// Starts both at the same time and waits until they answer. When one fails, the other is
    /// stopped again.
    ///
    /// # Errors
    /// Within 10 s, or more the first time, when Postgres makes its cluster: see [`EmbeddedError`].
    pub async fn start(options: &Options) -> Result<Self, EmbeddedError> {
        let (nats, postgres) = tokio::join!(Nats::start(options), Postgres::start(options));
        match (nats, postgres) {
            (Ok(nats), Ok(postgres)) => Ok(Self { nats, postgres }),
            (Err(error), Ok(postgres)) => postgres.stop().await.and(Err(error)),
            (Ok(nats), Err(error)) => nats.stop().await.and(Err(error)),
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// The address of NATS: `nats://mangoes:PASSWORD@127.0.0.1:PORT`.
    pub fn nats_url(&self) -> String {
        self.nats.nats_url()
    }

    /// The address of Postgres: `postgres://mangoes:PASSWORD@127.0.0.1:PORT/mangoes`.
    pub fn database_url(&self) -> String {
        self.postgres.database_url()
    }

    /// Ends both in order and waits until they are gone; one that takes too long is killed.
    ///
    /// # Errors
    /// A process survives SIGKILL for seconds.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        let (nats, postgres) = tokio::join!(self.nats.stop(), self.postgres.stop());
        nats.and(postgres)
    }
}
