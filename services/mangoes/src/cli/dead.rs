//! `mangoes dead`: the words of the command line.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use runtime::Config;

use crate::{dead, show};

/// Which dead letters.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Their numbers.
    ids: Vec<i64>,
    /// All of this consumer, as ingest-movie.
    #[arg(long)]
    consumer: Option<String>,
    /// All with this reason, as not-found.
    #[arg(long)]
    reason: Option<String>,
    /// All.
    #[arg(long)]
    all: bool,
}

impl Which {
    fn filter(&self) -> store::DeadFilter {
        let ids = Some(self.ids.clone()).filter(|ids| !ids.is_empty());
        store::DeadFilter { ids, consumer: self.consumer.clone(), reason: self.reason.clone() }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// By reason; or one by one, of a consumer or a reason.
    List {
        /// Of this consumer, as ingest-movie.
        #[arg(long)]
        consumer: Option<String>,
        /// With this reason, as not-found.
        #[arg(long)]
        reason: Option<String>,
        /// How many.
        #[arg(short = 'n', default_value_t = 50)]
        limit: i64,
    },
    /// One with everything that is known about it.
    Show {
        /// Its number.
        id: i64,
    },
    /// Send them again, each under an id of its own.
    Replay {
        #[command(flatten)]
        which: Which,
        /// Another payload, for one id.
        #[arg(long, value_name = "JSON")]
        payload: Option<String>,
        /// At most so many per second; 0 = as fast as it goes.
        #[arg(long, default_value_t = 50)]
        rate: u32,
        /// Also those that were replayed before.
        #[arg(long)]
        again: bool,
    },
    /// Remove them.
    Drop {
        #[command(flatten)]
        which: Which,
    },
}

/// Does what the verb says.
pub(super) async fn run(config: &Config, verb: Dead, out: show::Out) -> Result<ExitCode> {
    match verb {
        Dead::List { consumer, reason, limit } => {
            let filter = store::DeadFilter { ids: None, consumer, reason };
            dead::list(config, (&filter, limit), out).await?;
        }
        Dead::Show { id } => dead::show(config, id, out).await?,
        Dead::Replay { which, payload, rate, again } => {
            let how = dead::How { all: which.all, payload: payload.as_deref(), rate, again };
            return dead::replay(config, &which.filter(), &how, out).await;
        }
        Dead::Drop { which } => dead::drop(config, (&which.filter(), which.all), out).await?,
    }
    Ok(ExitCode::SUCCESS)
}
