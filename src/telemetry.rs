//! Logs: where they go, in which format, how much of them.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for collectors.
    Json,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` cannot be understood.
    #[error("RUST_LOG is not a log filter")]
    Filter(#[from] tracing_subscriber::filter::FromEnvError),
    /// Something in this process logs already.
    #[error("logging is already set up")]
    AlreadySet(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Sends logs to standard error, as much as `RUST_LOG` asks for, `info` by default. Standard output stays free for the
/// answer of a command.
///
/// # Errors
/// [`TelemetryError`]: `RUST_LOG` cannot be understood, or logging was set up before.
pub fn start_logs(format: LogFormat) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env()?;
    // A closed standard error must not end the process, which complaining about it would.
    let logs = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .log_internal_errors(false);
    match format {
        LogFormat::Text => tracing::subscriber::set_global_default(logs.finish())?,
        LogFormat::Json => tracing::subscriber::set_global_default(logs.json().flatten_event(true).finish())?,
    }
    Ok(())
}
