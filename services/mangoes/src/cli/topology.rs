//! `mangoes topology`: streams and consumers as nats/*.json says.

use std::process::ExitCode;

use anyhow::Result;
use bus::{Bus, Namespace, topology::Difference};
use runtime::Config;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    connect,
    output::{self, Output},
};

#[derive(Debug, clap::Args)]
pub(crate) struct TopologyArgs {
    /// Only compare; exit 1 when something differs.
    #[arg(long)]
    check: bool,
    /// Take over streams that belong to another database: they belong to this one afterwards.
    #[arg(long, conflicts_with = "check")]
    take_over: bool,
    /// Print users of NATS with the rights that each needs, for MANGOES_NAMESPACE, and do nothing.
    #[arg(long, conflicts_with_all = ["check", "take_over"])]
    users: bool,
}

pub(super) async fn run(config: &Config, args: &TopologyArgs, out: Output) -> Result<ExitCode> {
    if args.users {
        output::line(bus::permissions::conf(&Namespace::new(&config.nats.namespace)).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    if args.take_over {
        return take_over(config, out).await;
    }
    let Applied { bus, made } = connect_and_apply(config, args.check).await?;
    let differences = bus.topology_differences().await?;
    let is_well = differences.is_empty();
    let found = Found { made, differences };
    if out.json {
        out.value(&found);
    } else {
        print(&found, out);
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Streams and consumers beside what `nats/*.json` says.
#[derive(Serialize, JsonSchema)]
pub(super) struct Found {
    /// What was made, or set right.
    made: Vec<Difference>,
    /// What still differs.
    differences: Vec<Difference>,
}

/// Streams that belong to this database now.
#[derive(Serialize, JsonSchema)]
pub(super) struct Taken {
    /// Those that belonged to another one.
    taken: Vec<String>,
}

fn print(found: &Found, out: Output) {
    let Found { made, differences } = found;
    for Difference { asset, setting, wanted, actual } in made {
        out.say(&match setting.as_str() {
            "" => format!("{asset} is made"),
            _ => format!("{asset}: {setting} is {} now, it was {}", plain(wanted), plain(actual)),
        });
    }
    if differences.is_empty() {
        out.say("streams and consumers are as nats/*.json says");
        return;
    }
    let rows = differences
        .iter()
        .map(|d| vec![d.asset.clone(), d.setting.clone(), plain(&d.wanted), plain(&d.actual)]);
    out.table(differences, &["ASSET", "SETTING", "EXPECTED", "ACTUAL"], rows.collect());
}

/// A text without its quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// The connection, and what was made by it.
struct Applied {
    bus: Bus,
    made: Vec<Difference>,
}

async fn connect_and_apply(config: &Config, only_check: bool) -> Result<Applied> {
    let mut made = Vec::new();
    if connect::knows_a_database(config)? {
        let store = connect::migrated_store(config).await?;
        let bus = connect::bus_of_store(config, &store).await?;
        if !only_check {
            // No relay publishes meanwhile, and what a stream has lost goes into it before
            // anything new.
            made = outbox::make_topology(&bus, &store).await?;
        }
        return Ok(Applied { bus, made });
    }
    // The streams belong to no database yet: the first process that has one takes them.
    let bus = connect::bus(config).await?;
    if !only_check {
        made = bus.ensure_topology().await?;
    }
    Ok(Applied { bus, made })
}

/// Makes the streams of this NATS belong to this database, then brings them to what the files say.
async fn take_over(config: &Config, out: Output) -> Result<ExitCode> {
    let store = connect::migrated_store(config).await?;
    let bus = connect::bus_of_store(config, &store).await?;
    let taken = bus.take_over().await?;
    outbox::make_topology(&bus, &store).await?;
    if out.json {
        out.value(&Taken { taken: taken.into_iter().map(ToOwned::to_owned).collect() });
    } else if taken.is_empty() {
        out.say("all streams belong to this database already");
    } else {
        out.say(&format!("these streams belong to this database now: {}", taken.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}
