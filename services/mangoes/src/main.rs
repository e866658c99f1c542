//! The one binary: a subcommand per service, `up` for all of them, the operator's verbs.

mod call_log;
mod cli;
mod dead;
mod demo;
mod health;
mod jobs;
mod metrics;
mod probe;
mod progress;
mod rate;
mod serve;
mod show;
mod upstream;
mod verbs;
mod vitals;
mod world;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return say_usage(&usage),
    };
    let is_service = cli.command.is_service();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(e) => {
            show::note(&format!("mangoes: the async runtime cannot start: {e}"));
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(cli::run(cli));
    // Nothing that still runs may hold the exit up.
    runtime.shutdown_background();
    let code = result.unwrap_or_else(|error| say_error(&error));
    // To a service, its output is no part of its work.
    if is_service { code } else { with_output(code) }
}

/// Help and version, or what is wrong with the command line.
fn say_usage(usage: &clap::Error) -> ExitCode {
    let text = usage.render();
    if usage.use_stderr() {
        let colour = runtime::telemetry::wants_colour(&std::io::stderr());
        show::note(if colour { text.ansi().to_string() } else { text.to_string() }.trim_end());
        return ExitCode::from(2);
    }
    let colour = runtime::telemetry::wants_colour(&std::io::stdout());
    show::line(if colour { text.ansi().to_string() } else { text.to_string() }.trim_end());
    with_output(ExitCode::SUCCESS)
}

/// An answer that could not be written is no success.
fn with_output(code: ExitCode) -> ExitCode {
    match show::failure() {
        None => code,
        Some(e) => {
            show::note(&format!("mangoes: standard output cannot be written: {e}"));
            ExitCode::FAILURE
        }
    }
}

fn say_error(error: &anyhow::Error) -> ExitCode {
    let (usage, remedy) = match error.downcast_ref::<operator::ApiError>() {
        Some(operator::ApiError::Invalid(_)) => (true, ""),
        Some(operator::ApiError::Unknown(text)) if text.starts_with("there is no job") => {
            (false, "; `mangoes jobs list` shows them")
        }
        Some(operator::ApiError::Unknown(text)) if text.starts_with("there is no run") => {
            (false, "; `mangoes jobs runs` shows them")
        }
        Some(_) | None => (error.is::<runtime::ConfigError>(), ""),
    };
    show::note(&format!("mangoes: {}{remedy}", runtime::chain(error.as_ref())));
    if usage { ExitCode::from(2) } else { ExitCode::FAILURE }
}
