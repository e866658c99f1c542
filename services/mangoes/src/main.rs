//! The one binary: a subcommand per service, `up` for all of them, the operator's verbs.

mod call_log;
mod cli;
mod dead;
mod demo;
mod health;
mod jobs;
mod metrics;
mod progress;
mod rate;
mod relay;
mod serve;
mod show;
mod upstream;
mod verbs;
mod world;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("mangoes: the async runtime cannot start: {e}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(cli::run(cli));
    // Nothing that still runs may hold the exit up.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("mangoes: {}", runtime::chain(error.as_ref()));
            if error.is::<runtime::ConfigError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
