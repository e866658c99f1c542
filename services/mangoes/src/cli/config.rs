//! `mangoes config`: the settings in effect, and how to reach what runs here.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use runtime::Config;

use crate::{
    show::{self, Out},
    world,
};

/// The settings with their origins.
pub(super) fn show(config: &Config, out: Out) {
    let shown = config.shown();
    let rows =
        shown.iter().map(|s| vec![s.name.to_owned(), s.value.clone(), s.origin.clone()]).collect();
    out.table(&shown, &["SETTING", "VALUE", "FROM"], rows);
}

/// How to reach what runs here, as a shell takes it in: `eval "$(mangoes config --env)"`.
pub(super) fn exports(config: &Config, out: Out) -> Result<()> {
    let running = world::running(config)?;
    let there = running.as_ref();
    let reveal =
        |set: &Option<runtime::Secret>| set.as_ref().map(|secret| secret.reveal().to_owned());
    let exports: Vec<(&str, String)> = [
        ("NATS_URL", reveal(&config.nats_url).or_else(|| there.and_then(|t| t.nats_url.clone()))),
        (
            "DATABASE_URL",
            reveal(&config.database_url).or_else(|| there.and_then(|t| t.database_url.clone())),
        ),
        (
            "TMDB_SIM_URL",
            there.and_then(|t| t.tmdb_sim_url.as_ref()).map(|base| simulator_control(base)),
        ),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    if exports.is_empty() {
        bail!("nothing runs here: start `mangoes up`, or set NATS_URL and DATABASE_URL");
    }
    if out.json {
        out.value(&exports.iter().cloned().collect::<BTreeMap<_, _>>());
        return Ok(());
    }
    for (name, value) in exports {
        show::line(&format!("export {name}='{}'", value.replace('\'', r"'\''")));
    }
    Ok(())
}

/// Where a simulator is changed while it runs.
pub(crate) fn simulator_control(base: &str) -> String {
    format!("{}/_sim", base.trim_end_matches("/3"))
}
