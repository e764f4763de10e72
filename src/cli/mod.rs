//! The command line: options and commands.
//!
//! A command's result goes to standard output, everything else to standard error. Exit codes: 0 success, 1 failure, 2
//! wrong usage.

mod allocator;
pub mod backup;
pub mod check;
pub mod completions;
pub mod demo;
pub mod emulate;
mod faults;
pub mod gateway;
pub mod health;
pub mod init;
mod interrupt;
mod loopback;
pub mod man;
pub mod mcp;
mod open_files;
pub mod run;
pub mod tail;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

pub use faults::Faults;
use loopback::loopback_address;

use crate::{
    panics,
    telemetry::{self, LogFormat},
};
use backup::BackupOptions;
use check::CheckOptions;
use completions::CompletionsOptions;
use demo::DemoOptions;
use emulate::EmulateOptions;
use health::HealthOptions;
use init::InitOptions;
use man::ManOptions;
use mcp::McpOptions;
use run::RunOptions;
use tail::TailOptions;

/// A connector backend for LivePerson messaging: thousands of supervised conversations in one process
#[derive(Debug, Parser)]
#[command(version, after_help = "Example:\n  tertulia check --config tertulia.toml")]
pub struct Cli {
    /// Format of log lines on standard error; RUST_LOG selects which lines are written (info by default)
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the service on an embedded platform: bots answer consumers, and a ledger proves that nothing was lost
    Demo(DemoOptions),
    /// Run the platform stand-in alone, to build or test any UMS client
    Emulate(EmulateOptions),
    /// Write a commented configuration to start from
    Init(InitOptions),
    /// Run the service until SIGINT or SIGTERM: hold the configured connections and serve the gateway
    Run(RunOptions),
    /// Follow the events of a running service in the terminal, one line each
    Tail(TailOptions),
    /// Serve a running service to a model, over the Model Context Protocol on standard input and output
    Mcp(McpOptions),
    /// Validate a configuration, and print every mistake with its line
    Check(CheckOptions),
    /// Check whether a running service is alive, or with --ready whether it is ready
    Health(HealthOptions),
    /// Copy the store of a running service into a new directory
    Backup(BackupOptions),
    /// Print what a shell needs to complete commands and options
    Completions(CompletionsOptions),
    /// Print the manual page of the program or of a command, in roff
    Man(ManOptions),
}

impl Cli {
    /// Runs the command and reports a failure on standard error.
    pub fn execute(self) -> ExitCode {
        match self.dispatch() {
            Ok(code) => code,
            Err(error) => {
                // If standard error is closed too, the failure cannot be reported.
                let _ = writeln!(io::stderr(), "error: {error:#}");
                ExitCode::FAILURE
            }
        }
    }

    fn dispatch(self) -> anyhow::Result<ExitCode> {
        panics::keep_silent();
        // The configuration of a service says where spans go, so its logging starts later.
        let is_service = matches!(self.command, Command::Run(_));
        let _logs = (!is_service).then(|| telemetry::start_logs(self.log_format)).transpose()?;
        match self.command {
            Command::Demo(options) => demo::execute(&options),
            Command::Emulate(options) => emulate::execute(&options),
            Command::Init(options) => init::execute(&options),
            Command::Run(options) => run::execute(&options, self.log_format),
            Command::Tail(options) => tail::execute(&options),
            Command::Mcp(options) => mcp::execute(&options),
            Command::Check(options) => check::execute(&options),
            Command::Health(options) => health::execute(&options),
            Command::Backup(options) => backup::execute(&options),
            Command::Completions(options) => completions::execute(&options),
            Command::Man(options) => man::execute(&options),
        }
    }
}
