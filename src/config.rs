//! The configuration of the service: what the file may say, read so that every mistake is reported at once.
//!
//! A file is TOML, parsed into a tree that remembers lines; variables such as `TERTULIA_GATEWAY__LISTEN` are laid over
//! the tree; then each section takes its own keys out of it, and what nobody took is an unknown key. Each section's file
//! holds its types, its defaults and its rules. Relative paths are relative to the working directory.

mod admissible;
mod client_properties;
mod connection;
mod document;
mod drain;
mod engine;
mod environment;
mod field;
mod gateway;
mod limits;
mod login;
mod platform;
mod problem;
mod proxy;
mod secret;
mod supervision;
mod telemetry;
#[cfg(test)]
mod tests;
mod tls;
mod webhooks;

use std::{fs, io, path::Path, path::PathBuf};

pub use admissible::Admissible;
pub use client_properties::ClientProperties;
pub use connection::{Connection, Requested};
pub use drain::Drain;
pub use engine::Engine;
pub use environment::Environment;
pub use gateway::{Gateway, Scope, Token};
pub use limits::Limits;
pub use login::Access;
pub use platform::Platform;
pub use problem::{Place, Problem};
pub use proxy::Proxy;
pub use supervision::{Restarts, Supervision, Systemic};
pub use telemetry::Telemetry;
pub use tls::{Tls, TlsError, TlsFiles};
pub use webhooks::Webhooks;

use field::Field;
use problem::Reading;

/// The file that is read when the command line names none.
pub const DEFAULT_FILE: &str = "tertulia.toml";

/// A valid configuration. Secrets in it are redacted in its `Debug` form.
#[derive(Debug)]
pub struct Configuration {
    /// Where the messaging platform is.
    pub platform: Platform,
    /// The logins that this process holds, in the order of the file; ids are unique.
    pub connections: Vec<Connection>,
    /// Where events, snapshots and leases are kept.
    pub engine: Engine,
    /// Where and to whom the HTTP interface is open.
    pub gateway: Gateway,
    /// How often what fails is started again, and when it is given up.
    pub supervision: Supervision,
    /// How events are delivered to receivers over HTTP.
    pub webhooks: Webhooks,
    /// Where spans go.
    pub telemetry: Telemetry,
    /// How it ends.
    pub drain: Drain,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file could not be read at all.
    #[error("cannot read configuration {}", file.display())]
    Unreadable {
        /// The file as it was named.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was read and is mistaken; never empty, in the order of the lines.
    #[error("{}", listing(file, problems))]
    Mistaken {
        /// The file as it was named.
        file: PathBuf,
        /// Every mistake.
        problems: Vec<Problem>,
    },
}

impl Configuration {
    /// Reads and validates `file`, with the overrides and secrets of `environment`.
    ///
    /// # Errors
    /// [`ConfigurationError`]: the file is unreadable, or it is mistaken, with every mistake in it.
    pub fn load(file: &Path, environment: &Environment) -> Result<Self, ConfigurationError> {
        let text = fs::read_to_string(file)
            .map_err(|source| ConfigurationError::Unreadable { file: file.to_owned(), source })?;
        Self::parse(&text, environment)
            .map_err(|problems| ConfigurationError::Mistaken { file: file.to_owned(), problems })
    }

    /// Validates `text` as [`Configuration::load`] does for a file.
    ///
    /// # Errors
    /// Every mistake, in the order of the lines, those of the environment last; never empty.
    pub fn parse(text: &str, environment: &Environment) -> Result<Self, Vec<Problem>> {
        let mut reading = Reading::new(environment);
        let mut root = document::parse(text, &mut reading);
        document::apply_overrides(&mut root, &reading);

        let mut sections = Field::root(root, &reading);
        let platform = Platform::read(sections.field("platform"));
        let connections = connection::read_all(sections.field("connections"));
        let engine = Engine::read(sections.field("engine"));
        let mut gateway = Gateway::read(sections.field("gateway"));
        if let Some(gateway) = &mut gateway {
            gateway.admissible.add_used(reading.take_sources(), &connections);
        }
        let supervision = Supervision::read(sections.field("supervision"));
        let webhooks = Webhooks::read(sections.field("webhooks"));
        let telemetry = Telemetry::read(sections.field("telemetry"));
        let drain = Drain::read(sections.field("drain"));
        sections.finish();

        match (reading.into_problems(), platform, engine, gateway) {
            (problems, Some(platform), Some(engine), Some(gateway)) if problems.is_empty() => {
                Ok(Self { platform, connections, engine, gateway, supervision, webhooks, telemetry, drain })
            }
            (problems, ..) => Err(problems),
        }
    }
}

fn listing(file: &Path, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| problem.in_file(file).to_string()).collect();
    lines.join("\n")
}
