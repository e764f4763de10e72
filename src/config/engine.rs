//! `[engine]`: the store of events, snapshots, outbox and leases.

use std::{ops::RangeInclusive, path::PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use tertulia_actors::core::tenure::LeaseDuration;

use super::field::Field;

const DEFAULT_PATH: &str = "./tertulia-data";
const DEFAULT_EVENTS: u64 = 1_000_000;
const EVENTS: RangeInclusive<u64> = 1_000..=1_000_000_000;
const DEFAULT_DAYS: u64 = 7;
const DAYS: RangeInclusive<u64> = 1..=3_650;
const DEFAULT_SCHEMA: &str = "tertulia";
/// The longest name of a schema that Postgres does not cut.
const LONGEST_SCHEMA: usize = 63;

/// The engine that keeps the service's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Where the data is.
    pub kind: EngineKind,
    /// How many of the newest events are kept at least, over all connections: 1,000 to 1,000,000,000, by default
    /// 1,000,000.
    pub retain_events: u64,
    /// Days that a conversation is kept after its connection stopped seeing it: 1 to 3,650, by default 7.
    pub retain_days: u64,
}

/// Where the service's data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineKind {
    /// A store inside this process (`kind = "embedded"`), which has the service for itself.
    Embedded(EmbeddedEngine),
    /// A database that several processes share (`kind = "postgres"`).
    Postgres(Box<PostgresEngine>),
}

/// A store inside this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedEngine {
    /// Directory of the store; created if missing. Only one process at a time can use it.
    pub path: PathBuf,
    /// Directory of the leases, which must be the same for all processes with the same logins; created if missing.
    /// `None` means the directory that all processes of the user share.
    pub leases: Option<PathBuf>,
}

/// A Postgres database, 15 or newer, that several processes share.
#[derive(Debug, Clone)]
pub struct PostgresEngine {
    /// The address with the user, the password and `sslmode`: `postgres://user:password@host:5432/database`.
    pub url: SecretString,
    /// The schema that has the tables; created if missing. Several clusters may share a database.
    pub schema: String,
    /// How long a node must be silent before another takes over its duties: 5 s to 120 s, by default 15 s.
    pub lease: LeaseDuration,
}

impl PartialEq for PostgresEngine {
    fn eq(&self, other: &Self) -> bool {
        self.url.expose_secret() == other.url.expose_secret()
            && (&self.schema, self.lease) == (&other.schema, other.lease)
    }
}

impl Eq for PostgresEngine {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Embedded,
    Postgres,
}

impl Engine {
    /// Whether several processes share the data, so that this one is a node of a cluster.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.kind, EngineKind::Postgres(_))
    }

    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        let mut section = field.section();
        let kind = section.field("kind");
        let (path, leases) = (section.field("path"), section.field("leases"));
        let (url, schema, lease) = (section.field("url"), section.field("schema"), section.field("lease"));
        let retain_events = section.field("retain_events");
        let retain_days = section.field("retain_days");
        section.finish();

        let kind = match kind.is_present() {
            true => kind.word(&[("embedded", Kind::Embedded), ("postgres", Kind::Postgres)])?,
            false => Kind::Embedded,
        };
        let retain_events = retain_events.number(EVENTS).unwrap_or(DEFAULT_EVENTS);
        let retain_days = retain_days.number(DAYS).unwrap_or(DEFAULT_DAYS);
        let kind = match kind {
            Kind::Embedded => {
                for field in [url, schema, lease] {
                    field.refused("only an engine of kind \"postgres\" has this");
                }
                EngineKind::Embedded(EmbeddedEngine {
                    path: path.text().unwrap_or_else(|| DEFAULT_PATH.to_owned()).into(),
                    leases: leases.text().map(PathBuf::from),
                })
            }
            Kind::Postgres => {
                for field in [path, leases] {
                    field.refused("only an engine of kind \"embedded\" has this");
                }
                let (shortest, longest) = (LeaseDuration::SHORTEST, LeaseDuration::LONGEST);
                let lease = lease.duration(shortest..=longest).and_then(|lease| LeaseDuration::new(lease).ok());
                let schema = schema.parse(schema_name).unwrap_or_else(|| DEFAULT_SCHEMA.to_owned());
                let url = url.required().secret()?;
                EngineKind::Postgres(Box::new(PostgresEngine { url, schema, lease: lease.unwrap_or_default() }))
            }
        };
        Some(Self { kind, retain_events, retain_days })
    }
}

/// The name is part of SQL texts, so it has only letters that need no quotes.
fn schema_name(name: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins_well = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if begins_well && name.len() <= LONGEST_SCHEMA && name.bytes().all(is_plain) {
        Ok(name.to_owned())
    } else {
        Err(format!("expected 1 to {LONGEST_SCHEMA} of a-z, 0-9 and _, not beginning with a digit, found {name:?}"))
    }
}
