//! `tertulia check`: validates a configuration, and with `--connect` tries each connection.

mod connect;

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
    pin::pin,
    process::ExitCode,
};

use connect::Trial;
use futures_util::StreamExt as _;

use crate::{
    config::{Configuration, ConfigurationError, DEFAULT_FILE, Environment},
    harmless::harmless,
};

/// Which file to validate.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia check --config tertulia.toml")]
pub struct CheckOptions {
    /// The configuration to validate
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub config: PathBuf,
    /// Also try discovery and login of each connection; a running service with the same login must then log in again
    #[arg(long)]
    pub connect: bool,
}

/// Prints one line for each mistake, `file:line: path: message`, or one line that confirms the configuration; then,
/// with `--connect`, one line for each connection.
pub(super) fn execute(options: &CheckOptions) -> anyhow::Result<ExitCode> {
    let mut answer = io::stdout();
    match Configuration::load(&options.config, &Environment::of_process()) {
        Ok(configuration) => {
            writeln!(answer, "{}: ok: {}", options.config.display(), summary(&configuration))?;
            if options.connect {
                actix_rt::System::new().block_on(connect(&configuration))
            } else {
                Ok(ExitCode::SUCCESS)
            }
        }
        Err(mistakes @ ConfigurationError::Mistaken { .. }) => {
            writeln!(answer, "{mistakes}")?;
            Ok(ExitCode::FAILURE)
        }
        Err(unreadable @ ConfigurationError::Unreadable { .. }) => Err(unreadable.into()),
    }
}

/// Prints `connection: ok: …` or `connection: failed: …` for each connection.
async fn connect(configuration: &Configuration) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let mut trials = pin!(connect::try_all(configuration)?);
    while let Some(Trial { connection, outcome }) = trials.next().await {
        match outcome {
            Ok(done) => writeln!(io::stdout(), "{}: ok: {done}", connection.id)?,
            Err(failure) => {
                let advice = failure.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
                let failed = format!("{}: failed: {failure}{advice}", connection.id);
                writeln!(io::stdout(), "{}", harmless(&failed))?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn summary(configuration: &Configuration) -> String {
    let mut summary = format!("connections: {}, engine: ", configuration.connections.len());
    let _ = write!(summary, "embedded in {}", configuration.engine.path.display());
    let gateway = &configuration.gateway;
    let _ = write!(summary, ", gateway: {}, tokens: {}", gateway.listen, gateway.tokens.len());
    summary
}
