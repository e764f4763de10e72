//! `tertulia man`: manual pages.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::Cli;
use crate::nearest::nearest;

/// What the manual page describes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia man run | man -l -")]
pub struct ManOptions {
    /// The command to describe [default: the program as a whole]
    #[arg(value_name = "COMMAND", value_parser = command_name)]
    pub command: Option<String>,
}

/// Prints the manual page, in roff.
pub(super) fn execute(options: &ManOptions) -> anyhow::Result<ExitCode> {
    let program = program();
    let described = match &options.command {
        Some(name) => program.find_subcommand(name).unwrap_or(&program),
        None => &program,
    };
    let mut page = Vec::new();
    let source = concat!("Tertulia ", env!("CARGO_PKG_VERSION"));
    Man::new(described.clone()).source(source).manual("Tertulia").render(&mut page)?;
    io::stdout().write_all(&page)?;
    Ok(ExitCode::SUCCESS)
}

/// The program with the full names of its commands.
fn program() -> Command {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    program
}

fn command_name(name: &str) -> Result<String, String> {
    let program = program();
    let names: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(format!("no such command; the nearest is {}", nearest(name, &names)))
}
