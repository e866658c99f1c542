//! The command line.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures the program's main job on real servers, beside an ordinary job queue on Postgres.
#[derive(Debug, Clone, Parser)]
#[command(name = "bench")]
pub(crate) struct Options {
    /// The program to measure; by default the one beside this one.
    #[arg(long, value_name = "PATH")]
    mangoes: Option<PathBuf>,
    /// Movies in each lap [default: 3000, or 300 with --short].
    #[arg(long, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    movies: Option<u32>,
    /// Rounds of laps, each with movies of its own; the best lap counts [default: 1, or 3 with
    /// --short].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: Option<u32>,
    /// Processes of the program that share the work.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4))]
    pub(crate) processes: u32,
    /// Titles that the catalogue holds before the first lap.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=2_000_000))]
    pub(crate) titles: u32,
    /// The form for CI: few movies, about a minute.
    #[arg(long)]
    short: bool,
    /// Leave out the reference.
    #[arg(long, conflicts_with_all = ["check", "bless"])]
    pub(crate) alone: bool,
    /// Print which statements of each lap cost Postgres most.
    #[arg(long)]
    pub(crate) statements: bool,
    /// Write all figures to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Fail where a ratio to the reference is far below the baseline.
    #[arg(long)]
    pub(crate) check: bool,
    /// Make what was measured the baseline.
    #[arg(long, conflicts_with = "check")]
    pub(crate) bless: bool,
    /// The ratios to compare with.
    #[arg(long, value_name = "FILE", default_value = "bench/baseline.json")]
    pub(crate) baseline: PathBuf,
    /// Keep the folder with the servers' data and all logs.
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What the process is, where it is not the bench itself.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Role {
    /// The reference's process; the bench starts it.
    #[command(hide = true)]
    ReferenceWorker,
}

impl Options {
    /// The program to measure, as an absolute path.
    pub(crate) fn program(&self) -> Result<PathBuf> {
        match &self.mangoes {
            Some(path) => Ok(std::path::absolute(path)?),
            None => Ok(std::env::current_exe()?.with_file_name("mangoes")),
        }
    }

    /// Movies in each lap.
    pub(crate) fn movies(&self) -> u32 {
        self.movies.unwrap_or(if self.short { 300 } else { 3_000 })
    }

    /// Rounds of laps.
    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.short { 3 } else { 1 })
    }

    /// How long the paced lap sends, in seconds.
    pub(crate) fn paced_secs(&self) -> u32 {
        if self.short { 5 } else { 15 }
    }
}
