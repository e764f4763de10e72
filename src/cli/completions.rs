//! `tertulia completions`: what a shell needs to complete commands and options.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use super::Cli;

/// Which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia completions bash > ~/.local/share/bash-completion/completions/tertulia")]
pub struct CompletionsOptions {
    /// The shell to complete commands in
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Prints the completions.
pub(super) fn execute(options: &CompletionsOptions) -> anyhow::Result<ExitCode> {
    // Into memory first, because the generator panics if its output is closed.
    let mut completions = Vec::new();
    generate(options.shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &mut completions);
    io::stdout().write_all(&completions)?;
    Ok(ExitCode::SUCCESS)
}
