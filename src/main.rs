//! The program `tertulia`.

use std::process::ExitCode;

use clap::Parser as _;
use tertulia::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().execute()
}
