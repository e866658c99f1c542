//! `mangoes completions`.

use std::process::ExitCode;

use crate::output;

#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// bash, zsh, fish, elvish or powershell.
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &CompletionsArgs, mut command: clap::Command) -> ExitCode {
    // Into memory: the library panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "mangoes", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}
