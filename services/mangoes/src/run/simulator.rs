//! The built-in simulator in place of TMDB.

use std::path::PathBuf;

use anyhow::Result;
use runtime::{Config, Secret};
use tmdb_sim::Sim;

/// Starts it and points the configuration to it. `recorded`: a directory of answers to serve
/// instead of generated ones.
pub(crate) async fn start(config: &mut Config, recorded: Option<PathBuf>) -> Result<Sim> {
    let sim = Sim::start(tmdb_sim::Options { recorded, ..Default::default() }).await?;
    config.tmdb_base_url = sim.base_url();
    config.tmdb_credential = Some(Secret::new("simulated".to_owned()));
    Ok(sim)
}
