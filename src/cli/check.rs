//! `tertulia check`: validates a configuration without connecting.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use crate::config::{Configuration, ConfigurationError, DEFAULT_FILE, Engine, Environment};

/// Which file to validate.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia check --config tertulia.toml")]
pub struct CheckOptions {
    /// The configuration to validate
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub config: PathBuf,
}

/// Prints one line for each mistake, `file:line: path: message`, or one line that there is none.
pub(super) fn execute(options: &CheckOptions) -> anyhow::Result<ExitCode> {
    let mut answer = io::stdout().lock();
    match Configuration::load(&options.config, &Environment::of_process()) {
        Ok(configuration) => {
            writeln!(answer, "{}: ok: {}", options.config.display(), summary(&configuration))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(mistakes @ ConfigurationError::Mistaken { .. }) => {
            writeln!(answer, "{mistakes}")?;
            Ok(ExitCode::FAILURE)
        }
        Err(unreadable @ ConfigurationError::Unreadable { .. }) => Err(unreadable.into()),
    }
}

fn summary(configuration: &Configuration) -> String {
    let mut summary = format!("connections: {}, engine: ", configuration.connections.len());
    let _ = match &configuration.engine {
        Engine::Embedded { path } => write!(summary, "embedded in {}", path.display()),
        Engine::Nats { url } => write!(summary, "nats at {url}"),
    };
    let gateway = &configuration.gateway;
    let _ = write!(summary, ", gateway: {}, tokens: {}", gateway.listen, gateway.tokens.len());
    summary
}
