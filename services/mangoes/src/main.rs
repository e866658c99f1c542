//! The one binary. The command line is parsed here; `cli` has a file a noun, which calls `operator`
//! and prints; `run` has what goes on until it is stopped; `health` answers for it.

mod cli;
mod connect;
mod endpoints;
mod health;
mod output;
mod progress;
mod run;

use std::process::ExitCode;

use clap::{
    Parser,
    error::{ContextKind, ContextValue},
};
use operator::{Noun, OperatorError};

use run::services::Service;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return show_usage(&usage),
    };
    let is_service = cli.command.is_service();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(e) => {
            output::note(&format!("mangoes: the async runtime cannot start: {e}"));
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(cli::run(cli));
    // Nothing that still runs may delay the exit.
    runtime.shutdown_background();
    let code = result.unwrap_or_else(|error| show_error(&error));
    // The work of a service does not depend on its output.
    if is_service { code } else { with_output(code) }
}

/// Help and version, or what is wrong with the command line.
fn show_usage(usage: &clap::Error) -> ExitCode {
    let text = usage.render();
    if usage.use_stderr() {
        let colour = runtime::telemetry::wants_colour(&std::io::stderr());
        output::note(if colour { text.ansi().to_string() } else { text.to_string() }.trim_end());
        if let Some(service) = service_named_as_command(usage) {
            output::note(&format!("\nTo run a service, use: mangoes serve {service}"));
        }
        return ExitCode::from(2);
    }
    let colour = runtime::telemetry::wants_colour(&std::io::stdout());
    output::line(if colour { text.ansi().to_string() } else { text.to_string() }.trim_end());
    with_output(ExitCode::SUCCESS)
}

/// The service whose name was given in place of a command.
fn service_named_as_command(usage: &clap::Error) -> Option<&'static str> {
    match usage.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => {
            Service::ALL.map(Service::name).into_iter().find(|name| name == word)
        }
        Some(_) | None => None,
    }
}

/// An answer that could not be written is a failure.
fn with_output(code: ExitCode) -> ExitCode {
    match output::failure() {
        None => code,
        Some(e) => {
            output::note(&format!("mangoes: standard output cannot be written: {e}"));
            ExitCode::FAILURE
        }
    }
}

fn show_error(error: &anyhow::Error) -> ExitCode {
    let of_operator = error.downcast_ref::<OperatorError>();
    let remedy = of_operator.and_then(remedy).map(|text| format!("; {text}")).unwrap_or_default();
    output::note(&format!("mangoes: {}{remedy}", runtime::chain(error.as_ref())));
    let is_usage = error.is::<runtime::ConfigError>()
        || of_operator.is_some_and(|error| matches!(error, OperatorError::Invalid(_)));
    if is_usage { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// What to do next, in words of the command line.
fn remedy(error: &OperatorError) -> Option<String> {
    match error {
        OperatorError::Unknown { what: Noun::Job, .. } => {
            Some("`mangoes jobs list` shows the jobs".to_owned())
        }
        OperatorError::Unknown { what: Noun::Run, .. } => {
            Some("`mangoes jobs runs` shows the runs".to_owned())
        }
        OperatorError::Unknown { what: Noun::DeadLetter, .. } => {
            Some("`mangoes dead list` shows the dead letters".to_owned())
        }
        OperatorError::Unknown { what: Noun::Movie, name } => {
            Some(format!("`mangoes ingest --movie {name}` brings it into the catalogue"))
        }
        OperatorError::Overlaps(_) => Some(
            "wait for it, end it with `mangoes jobs cancel`, or add --force to `mangoes jobs run`"
                .to_owned(),
        ),
        OperatorError::Broker(_) => {
            Some("if a stream is missing, `mangoes topology` creates it".to_owned())
        }
        OperatorError::Invalid(_)
        | OperatorError::Service(_)
        | OperatorError::Refused(_)
        | OperatorError::Repeated(_)
        | OperatorError::Unreadable(_)
        | OperatorError::Database(_)
        | OperatorError::Json(_) => None,
    }
}
