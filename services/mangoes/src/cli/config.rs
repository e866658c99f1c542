//! `mangoes config`: the settings in effect, and how to reach what runs here.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Result, bail};
use runtime::{Config, Secret, Shown};
use schemars::JsonSchema;
use serde::Serialize;

use super::tmdb_sim::control_url;
use crate::{
    endpoints::Endpoints,
    output::{self, Output},
};

#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// Print shell exports, with passwords, that tell other programs how to reach NATS, Postgres
    /// and the simulator.
    #[arg(long)]
    env: bool,
}

pub(super) fn run(config: &Config, args: &ConfigArgs, out: Output) -> Result<ExitCode> {
    if args.env {
        exports(config, out)?;
    } else {
        show(config, out);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(config: &Config, out: Output) {
    let shown = config.shown();
    let rows =
        shown.iter().map(|s| vec![s.name.to_owned(), s.value.clone(), s.origin.clone()]).collect();
    let settings = shown.into_iter().map(Setting::from).collect();
    out.table(&Settings { settings }, &["SETTING", "VALUE", "FROM"], rows);
}

/// The settings in effect.
#[derive(Serialize, JsonSchema)]
pub(super) struct Settings {
    settings: Vec<Setting>,
}

/// A setting.
#[derive(Serialize, JsonSchema)]
struct Setting {
    /// Its name in the environment.
    name: &'static str,
    /// As it is written in the environment; secrets are masked.
    value: String,
    /// Flag, environment, a file, `mangoes.toml` or default.
    origin: String,
}

impl From<Shown> for Setting {
    fn from(Shown { name, value, origin }: Shown) -> Self {
        Self { name, value, origin }
    }
}

/// How to reach what runs here: variables and their values.
#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Exports(BTreeMap<&'static str, String>);

/// As a shell reads it: `eval "$(mangoes config --env)"`.
fn exports(config: &Config, out: Output) -> Result<()> {
    let running = Endpoints::of_running(config)?;
    let there = running.as_ref();
    let reveal = |set: &Option<Secret>| set.as_ref().map(|secret| secret.reveal().to_owned());
    let nats = reveal(&config.nats.url).or_else(|| there.and_then(|t| t.nats_url.clone()));
    let database =
        reveal(&config.database_url).or_else(|| there.and_then(|t| t.database_url.clone()));
    let sim = there.and_then(|t| t.tmdb_sim_url.as_ref()).map(|base| control_url(base));
    let exports: BTreeMap<&'static str, String> =
        [("NATS_URL", nats), ("DATABASE_URL", database), ("TMDB_SIM_URL", sim)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
    if exports.is_empty() {
        bail!("nothing runs here: start `mangoes up`, or set NATS_URL and DATABASE_URL");
    }
    if out.json {
        out.value(&Exports(exports));
        return Ok(());
    }
    for (name, value) in exports {
        output::line(&format!("export {name}='{}'", value.replace('\'', r"'\''")));
    }
    Ok(())
}
