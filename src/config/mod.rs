//! The configuration of the service. All mistakes are reported at once; a syntax error is reported alone, because the
//! rest of the file may mean something else once the error is corrected.
//!
//! A TOML file is parsed into a tree that remembers lines. Variables such as `TERTULIA_GATEWAY__LISTEN` override values
//! of the tree. Then each section reads its own keys, and every key that no section reads is an unknown key. Each
//! section's file holds its types, defaults and rules. Relative paths are relative to the working directory.

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
mod node;
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
pub use engine::{EmbeddedEngine, Engine, EngineKind, PostgresEngine};
pub use environment::Environment;
pub use gateway::{Gateway, Scope, Token};
pub use limits::Limits;
pub use login::Access;
pub use node::Node;
pub use platform::Platform;
pub use problem::{Place, Problem};
pub use proxy::Proxy;
pub use supervision::{Restarts, Supervision, Systemic};
pub use telemetry::{MetricsPerConnection, Telemetry};
pub use tls::{NodeTls, Tls, TlsError, TlsFiles};
pub use webhooks::Webhooks;

use field::Field;
use problem::Reading;

/// The file that is read if the command line names no file.
pub const DEFAULT_FILE: &str = "tertulia.toml";

/// A valid configuration. Its `Debug` form redacts secrets.
#[derive(Debug)]
pub struct Configuration {
    /// The address of the messaging platform.
    pub platform: Platform,
    /// The logins that this process holds, in the order of the file; ids are unique.
    pub connections: Vec<Connection>,
    /// The store of events, snapshots and leases.
    pub engine: Engine,
    /// This process among those that share the store; `Some` exactly if the engine is shared.
    pub node: Option<Node>,
    /// Where the HTTP interface listens and who may call.
    pub gateway: Gateway,
    /// How often failing actors restart, and when they are given up.
    pub supervision: Supervision,
    /// How events are delivered to receivers over HTTP.
    pub webhooks: Webhooks,
    /// The destination of spans, and the extent of metrics.
    pub telemetry: Telemetry,
    /// How the service stops.
    pub drain: Drain,
}

/// Why a configuration could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file could not be read.
    #[error("cannot read configuration {}", file.display())]
    Unreadable {
        /// The file's path, as given.
        file: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file has mistakes: at least one, in the order of the lines.
    #[error("{}", listing(file, problems))]
    Mistaken {
        /// The file's path, as given.
        file: PathBuf,
        /// Every mistake.
        problems: Vec<Problem>,
    },
}

impl Configuration {
    /// Reads and validates `file`, with the overrides and secrets of `environment`.
    ///
    /// # Errors
    /// [`ConfigurationError`]: the file cannot be read, or it has mistakes, all of which are listed.
    pub fn load(file: &Path, environment: &Environment) -> Result<Self, ConfigurationError> {
        let text = fs::read_to_string(file)
            .map_err(|source| ConfigurationError::Unreadable { file: file.to_owned(), source })?;
        Self::parse(&text, environment)
            .map_err(|problems| ConfigurationError::Mistaken { file: file.to_owned(), problems })
    }

    /// Validates `text` as [`Configuration::load`] does for a file.
    ///
    /// # Errors
    /// Every mistake, in the order of the lines, followed by the mistakes of the environment; never empty. A syntax error
    /// is the only mistake.
    pub fn parse(text: &str, environment: &Environment) -> Result<Self, Vec<Problem>> {
        let reading = Reading::new(environment);
        let mut root = document::parse(text).map_err(|error| vec![error])?;
        document::apply_overrides(&mut root, &reading);

        let mut sections = Field::root(root, &reading);
        let platform = Platform::read(sections.field("platform"));
        let connections = connection::read_all(sections.field("connections"));
        let engine = Engine::read(sections.field("engine"));
        let is_shared = engine.as_ref().is_some_and(Engine::is_shared);
        let node = Node::read(sections.field("node"), is_shared);
        let mut gateway = Gateway::read(sections.field("gateway"));
        if let Some(gateway) = &mut gateway {
            let ids: Vec<&str> = connections.iter().map(|connection| connection.id.as_str()).collect();
            gateway.admissible.add_used_secrets(reading.take_sources(), &ids);
            for Connection { id, proxy, .. } in &connections {
                if let Some(Proxy { host, port, .. }) = proxy {
                    gateway.admissible.add_used_proxy(id, host, *port);
                }
            }
        }
        let supervision = Supervision::read(sections.field("supervision"));
        let webhooks = Webhooks::read(sections.field("webhooks"));
        let telemetry = Telemetry::read(sections.field("telemetry"));
        let drain = Drain::read(sections.field("drain"));
        sections.finish();

        match (reading.into_problems(), platform, engine, gateway) {
            (problems, Some(platform), Some(engine), Some(gateway)) if problems.is_empty() => {
                Ok(Self { platform, connections, engine, node, gateway, supervision, webhooks, telemetry, drain })
            }
            (problems, ..) => Err(problems),
        }
    }
}

fn listing(file: &Path, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| problem.in_file(file).to_string()).collect();
    lines.join("\n")
}
