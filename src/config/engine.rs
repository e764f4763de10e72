//! `[engine]`: where events, snapshots, outbox and leases are kept.

use std::{ops::RangeInclusive, path::PathBuf};

use actix_web::http::Uri;

use super::{field::Field, platform::url};

const DEFAULT_PATH: &str = "./tertulia-data";
const DEFAULT_EVENTS: u64 = 1_000_000;
const EVENTS: RangeInclusive<u64> = 1_000..=1_000_000_000;
const DEFAULT_DAYS: u64 = 7;
const DAYS: RangeInclusive<u64> = 1..=3_650;

/// Which engine keeps the service's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// A store inside this process; the default.
    Embedded {
        /// Directory of the store, made when it is missing. One process at a time has it.
        path: PathBuf,
        /// Directory of the leases, the same for all processes with the same logins; made when it is missing. Without
        /// one, they are where all processes of the user look for them.
        leases: Option<PathBuf>,
        /// The newest events that are kept, at least, over all connections; from 1,000 to 1,000,000,000, and 1,000,000
        /// where nothing is said.
        retain_events: u64,
        /// How many days a conversation is kept that is its connection's no more; from 1 to 3,650, and 7 where nothing
        /// is said.
        retain_days: u64,
    },
    /// NATS JetStream, shared by several processes.
    Nats {
        /// The server, `nats` or `tls`.
        url: Uri,
    },
}

#[derive(Clone, Copy)]
enum Kind {
    Embedded,
    Nats,
}

impl Engine {
    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        let mut section = field.section();
        let kind = section.field("kind");
        let path = section.field("path");
        let leases = section.field("leases");
        let retain_events = section.field("retain_events");
        let retain_days = section.field("retain_days");
        let server = section.field("url");
        section.finish();

        let kind = if kind.is_present() {
            kind.word(&[("embedded", Kind::Embedded), ("nats", Kind::Nats)])?
        } else {
            Kind::Embedded
        };
        match kind {
            Kind::Embedded => {
                server.refused("only an engine of kind \"nats\" has a url");
                Some(Self::Embedded {
                    path: path.text().unwrap_or_else(|| DEFAULT_PATH.to_owned()).into(),
                    leases: leases.text().map(PathBuf::from),
                    retain_events: retain_events.number(EVENTS).unwrap_or(DEFAULT_EVENTS),
                    retain_days: retain_days.number(DAYS).unwrap_or(DEFAULT_DAYS),
                })
            }
            Kind::Nats => {
                path.refused("only an engine of kind \"embedded\" has a path");
                leases.refused("only an engine of kind \"embedded\" has a directory of leases");
                for retention in [retain_events, retain_days] {
                    retention.refused("only an engine of kind \"embedded\" is told what to keep");
                }
                let url = server.required().parse(|text| url(text, &["nats", "tls"]))?;
                Some(Self::Nats { url })
            }
        }
    }
}
