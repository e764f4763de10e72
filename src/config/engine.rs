//! `[engine]`: the store of events, snapshots, outbox and leases.

use std::{ops::RangeInclusive, path::PathBuf};

use super::field::Field;

const DEFAULT_PATH: &str = "./tertulia-data";
const DEFAULT_EVENTS: u64 = 1_000_000;
const EVENTS: RangeInclusive<u64> = 1_000..=1_000_000_000;
const DEFAULT_DAYS: u64 = 7;
const DAYS: RangeInclusive<u64> = 1..=3_650;

/// The engine that keeps the service's data: a store inside this process (`kind = "embedded"`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// Directory of the store; created if missing. Only one process at a time can use it.
    pub path: PathBuf,
    /// Directory of the leases, which must be the same for all processes with the same logins; created if missing.
    /// `None` means the directory that all processes of the user share.
    pub leases: Option<PathBuf>,
    /// How many of the newest events are kept at least, over all connections: 1,000 to 1,000,000,000, by default
    /// 1,000,000.
    pub retain_events: u64,
    /// Days that a conversation is kept after its connection stopped seeing it: 1 to 3,650, by default 7.
    pub retain_days: u64,
}

impl Engine {
    pub(super) fn read(field: Field<'_>) -> Option<Self> {
        let mut section = field.section();
        let kind = section.field("kind");
        let path = section.field("path");
        let leases = section.field("leases");
        let retain_events = section.field("retain_events");
        let retain_days = section.field("retain_days");
        section.finish();

        if kind.is_present() {
            kind.word(&[("embedded", ())])?;
        }
        Some(Self {
            path: path.text().unwrap_or_else(|| DEFAULT_PATH.to_owned()).into(),
            leases: leases.text().map(PathBuf::from),
            retain_events: retain_events.number(EVENTS).unwrap_or(DEFAULT_EVENTS),
            retain_days: retain_days.number(DAYS).unwrap_or(DEFAULT_DAYS),
        })
    }
}
