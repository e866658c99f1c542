//! `bench`: how fast the program works off movies, what each one costs, and how that compares with
//! an ordinary job queue on the same machine. docs/development/bench.md says how to read it.

mod baseline;
mod bodies;
mod broker;
mod contender;
mod course;
mod database;
mod figures;
mod folder;
mod lap;
mod options;
mod output;
mod paced;
mod prefill;
mod proc_fs;
mod process;
mod program;
mod reference;
mod report;
mod scene;
mod statements;
mod upstream;
mod usage;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;

use crate::{
    options::{Options, Role},
    scene::Scene,
};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Options::parse();
    // An error means that another part of this process installed one before: that one will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match options.role {
        Some(Role::ReferenceWorker) => {
            reference::worker::run().await?;
            Ok(ExitCode::SUCCESS)
        }
        None => bench(&options).await,
    }
}

async fn bench(options: &Options) -> Result<ExitCode> {
    let scene = Scene::start(options).await?;
    let measured = tokio::select! {
        measured = course::run(&scene, options) => measured,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    scene.stop().await?;
    let measured = measured?;
    report::print(&measured);
    if let Some(path) = &options.json {
        std::fs::write(path, measured.json()?)?;
    }
    baseline::compare(options, &measured)
}
