//! The command line.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

/// Measures the program's main job on real servers.
#[derive(Debug, Clone, Parser)]
pub(crate) struct Options {
    /// The program to measure; by default the one beside this one.
    #[arg(long, value_name = "PATH")]
    mangoes: Option<PathBuf>,
    /// Movies in each lap.
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    pub(crate) movies: u32,
    /// Processes of the program that share the work.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4))]
    pub(crate) processes: u32,
    /// Repeat the laps `unchanged` and `changed`; the best one counts.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) repeat: u32,
    /// Keep the folder with the servers' data and logs.
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Options {
    /// The program to measure, as an absolute path.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        match &self.mangoes {
            Some(path) => Ok(std::path::absolute(path)?),
            None => Ok(std::env::current_exe()?.with_file_name("mangoes")),
        }
    }
}
