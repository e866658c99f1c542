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
mod vitals;
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
            let (usage, remedy) = match error.downcast_ref::<api::ApiError>() {
                Some(api::ApiError::Invalid(_)) => (true, ""),
                Some(api::ApiError::Unknown(text)) if text.starts_with("there is no job") => {
                    (false, "; `mangoes jobs list` shows them")
                }
                Some(api::ApiError::Unknown(text)) if text.starts_with("there is no run") => {
                    (false, "; `mangoes jobs runs` shows them")
                }
                Some(_) | None => (error.is::<runtime::ConfigError>(), ""),
            };
            eprintln!("mangoes: {}{remedy}", runtime::chain(error.as_ref()));
            if usage { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
