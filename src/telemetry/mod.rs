//! Logs: their destination, format and level. Spans are exported if a collector is configured.

mod one_line;
mod otlp;

use std::io::{self, IsTerminal as _};

use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry,
    field::MakeExt as _,
    filter::{FilterExt as _, LevelFilter, filter_fn},
    fmt::{self, format::debug_fn},
    layer::SubscriberExt as _,
};

use crate::config::Telemetry;
use one_line::write_field;

pub use otlp::{Export, ExportError, Exporting, SpanCounts};

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line, for log collectors
    Json,
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` cannot be parsed.
    #[error("RUST_LOG is not a log filter")]
    Filter(#[from] tracing_subscriber::filter::FromEnvError),
    /// Spans cannot be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// This process already has a logger.
    #[error("logging is already set up")]
    AlreadySet(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// The most log lines waiting to be written; more lines are dropped.
const WAITING_LINES: usize = 16_384;

/// The logs of a process. Dropping the value writes the waiting lines, for at most a second.
pub struct Logs {
    _writer: WorkerGuard,
}

/// Writes logs to standard error at the level of `RUST_LOG`, by default `info`. Standard output stays free for a
/// command's result.
///
/// # Errors
/// [`TelemetryError`]: `RUST_LOG` cannot be parsed, or logging was already set up.
pub fn start_logs(format: LogFormat) -> Result<Logs, TelemetryError> {
    start(format, None).map(|(logs, _)| logs)
}

/// Writes logs to standard error as [`start_logs`] does, and prepares the export of spans for `telemetry`; the export
/// sends nothing before [`Export::begin`].
///
/// # Errors
/// [`TelemetryError`].
pub fn start(format: LogFormat, telemetry: Option<&Telemetry>) -> Result<(Logs, Option<Export>), TelemetryError> {
    let export = telemetry.map(Export::new).transpose()?.flatten();
    let (export, tracer) = export.unzip();
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env()?;
    let filter = filter.and(filter_fn(tells_no_secret));
    // A slow or stuck reader of the log delays nothing but the log.
    let (lines, writer) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING_LINES).finish(io::stderr());
    // A closed standard error must not end the process; the library's own complaint about it would panic.
    let logs = fmt::layer().with_writer(lines).with_ansi(io::stderr().is_terminal()).log_internal_errors(false);
    let logs = match format {
        LogFormat::Text => logs.fmt_fields(debug_fn(write_field).delimited(" ")).with_filter(filter).boxed(),
        LogFormat::Json => logs.json().flatten_event(true).with_filter(filter).boxed(),
    };
    tracing::subscriber::set_global_default(Registry::default().with(tracer.map(otlp::layer)).with(logs))?;
    Ok((Logs { _writer: writer }, export))
}

/// Libraries may trace whole requests with `Authorization`, or addresses with tokens. So only this project's own lines,
/// which contain neither, follow `RUST_LOG`; others are limited to `info`. The library of the Model Context Protocol is
/// limited to `error`: it logs what clients send at `info` already.
fn tells_no_secret(metadata: &Metadata<'_>) -> bool {
    let is_of_protocol = metadata.target().split("::").next() == Some("rmcp");
    is_own(metadata) || *metadata.level() <= if is_of_protocol { Level::ERROR } else { Level::INFO }
}

fn is_own(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target == "tertulia" || target.starts_with("tertulia_") || target.starts_with("tertulia::")
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use tempfile::NamedTempFile;

    use super::*;

    #[test]
    fn libraries_log_at_most_at_info() {
        let log = NamedTempFile::new().unwrap();
        let writer = Arc::new(log.reopen().unwrap());
        let layer = fmt::layer().with_writer(writer).with_filter(filter_fn(tells_no_secret));
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            tracing::trace!("our own");
            tracing::trace!(target: "tertulia_actors::connection", "an actor's");
            tracing::info!(target: "actix_http", "theirs");
            tracing::debug!(target: "actix_http::h1", "too much");
            tracing::trace!(target: "awc", "too much");
            tracing::info!(target: "rmcp::service", "too much");
            tracing::debug!(target: "tertulias", "too much");
        });
        let text = fs::read_to_string(log.path()).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(!text.contains("too much"), "{text}");
    }

    /// Any part of an event may contain text from the platform or a caller.
    #[test]
    fn an_event_is_one_line_whatever_its_text_and_never_controls_the_terminal() {
        const EVIL: &str = "no\r\n2026-11-28T00:00:00Z  INFO tertulia: forged\u{1b}[2J\u{9b}2J\u{7}\u{2028}\u{202e}end";
        for has_colours in [false, true] {
            let log = NamedTempFile::new().unwrap();
            let fields = debug_fn(write_field).delimited(" ");
            let writer = Arc::new(log.reopen().unwrap());
            let layer = fmt::layer().with_ansi(has_colours).with_writer(writer).fmt_fields(fields);
            tracing::subscriber::with_default(Registry::default().with(layer), || {
                let _span = tracing::info_span!("one", shown = %EVIL, written = ?EVIL, told = EVIL).entered();
                let source = io::Error::other(EVIL);
                let error: &(dyn std::error::Error + 'static) = &source;
                tracing::warn!(shown = %EVIL, written = ?EVIL, told = EVIL, error, "{EVIL}");
                tracing::info!("next");
            });
            let text = fs::read_to_string(log.path()).unwrap();
            assert_eq!(text.lines().count(), 2, "{text}");
            for evil in ["\r", "\u{1b}[2J", "\u{9b}", "\u{7}", "\u{2028}", "\u{202e}"] {
                assert!(!text.contains(evil), "{evil:?} in {text}");
            }
            assert!(text.contains("forged") && text.ends_with("next\n") || has_colours, "{text}");
        }
    }
}
