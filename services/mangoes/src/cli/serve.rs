//! `mangoes serve`.

use std::process::ExitCode;

use anyhow::Result;
use runtime::Config;

use crate::run::{serve::serve, services::Service};

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The services to run; all of them if none is named.
    #[arg(value_enum, value_name = "SERVICE")]
    services: Vec<Service>,
}

pub(super) async fn run(config: Config, args: ServeArgs) -> Result<ExitCode> {
    let named = |service: &Service| args.services.is_empty() || args.services.contains(service);
    let services: Vec<Service> = Service::ALL.into_iter().filter(named).collect();
    serve(config, &services).await?;
    Ok(ExitCode::SUCCESS)
}
