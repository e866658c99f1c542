//! `mangoes topology`: streams and consumers as nats/*.json says.

use std::process::ExitCode;

use anyhow::Result;
use bus::Bus;
use runtime::Config;

use crate::{connect, output::Output};

#[derive(Debug, clap::Args)]
pub(crate) struct TopologyArgs {
    /// Only compare; exit 1 when something differs.
    #[arg(long)]
    check: bool,
    /// Take over streams that belong to another database: they belong to this one afterwards.
    #[arg(long, conflicts_with = "check")]
    take_over: bool,
}

pub(super) async fn run(config: &Config, args: &TopologyArgs, out: Output) -> Result<ExitCode> {
    if args.take_over {
        return take_over(config, out).await;
    }
    let bus = connect_and_apply(config, args.check).await?;
    let differences = bus.topology_differences().await?;
    if differences.is_empty() && !out.json {
        out.say("streams and consumers are as nats/*.json says");
        return Ok(ExitCode::SUCCESS);
    }
    let rows = differences.iter().map(|d| {
        vec![d.asset.clone(), d.setting.clone(), d.wanted.to_string(), d.actual.to_string()]
    });
    out.table(&differences, &["ASSET", "SETTING", "EXPECTED", "ACTUAL"], rows.collect());
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn connect_and_apply(config: &Config, only_check: bool) -> Result<Bus> {
    if connect::knows_a_database(config)? {
        let store = connect::migrated_store(config).await?;
        let bus = connect::bus_of_store(config, &store).await?;
        if !only_check {
            // No relay publishes meanwhile, and what a stream has lost goes into it before
            // anything new.
            outbox::make_topology(&bus, &store).await?;
        }
        return Ok(bus);
    }
    // The streams belong to no database yet: the first process that has one takes them.
    let bus = connect::bus(config).await?;
    if !only_check {
        bus.ensure_topology().await?;
    }
    Ok(bus)
}

/// Makes the streams of this NATS belong to this database, then brings them to what the files say.
async fn take_over(config: &Config, out: Output) -> Result<ExitCode> {
    let store = connect::migrated_store(config).await?;
    let bus = connect::bus_of_store(config, &store).await?;
    let taken = bus.take_over().await?;
    outbox::make_topology(&bus, &store).await?;
    if out.json {
        out.value(&taken);
    } else if taken.is_empty() {
        out.say("all streams belong to this database already");
    } else {
        out.say(&format!("these streams belong to this database now: {}", taken.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}
