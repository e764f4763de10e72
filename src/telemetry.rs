//! Logs: where they go, in which format, how much of them.

use std::io::{self, IsTerminal as _};

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry,
    filter::{FilterExt as _, LevelFilter, filter_fn},
    fmt,
    layer::SubscriberExt as _,
};

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
    let filter = filter.and(filter_fn(tells_no_secret));
    // A closed standard error must not end the process, which complaining about it would.
    let logs = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).log_internal_errors(false);
    let logs = match format {
        LogFormat::Text => logs.with_filter(filter).boxed(),
        LogFormat::Json => logs.json().flatten_event(true).with_filter(filter).boxed(),
    };
    tracing::subscriber::set_global_default(Registry::default().with(logs))?;
    Ok(())
}

/// What libraries trace may be whole requests with their `Authorization`, or addresses with a token in them. Only our own
/// lines, which hold neither, are as detailed as `RUST_LOG` asks for; of others there is no more than `info`.
fn tells_no_secret(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let is_own = target == "tertulia" || target.starts_with("tertulia_") || target.starts_with("tertulia::");
    is_own || *metadata.level() <= Level::INFO
}
