//! `bench`: how fast the program works off movies, and what each one costs, on real servers in a
//! folder of its own.

mod bodies;
mod broker;
mod database;
mod lap;
mod options;
mod output;
mod proc_fs;
mod program;
mod report;
mod scene;
mod upstream;
mod usage;

use anyhow::Result;
use clap::Parser;

use crate::{options::Options, scene::Scene};

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    // An error means that another part of this process installed one before: that one will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut scene = Scene::start(&options).await?;
    let measured = scene.program(&options).await;
    let stopped = scene.stop().await;
    report::print(&measured?);
    stopped
}
