//! `[drain]`: how long the service may take to stop.

use std::{ops::RangeInclusive, time::Duration};

use super::field::Field;

/// Zero by default, because a notice makes every restart longer.
const NOTICE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(600);
const WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// The time that orchestrators usually allow before they kill a process.
const DEFAULT: Duration = Duration::from_secs(30);

/// How the service stops after SIGINT or SIGTERM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// How long `/readyz` announces the stop before the service changes anything else, for load balancers that poll it;
    /// at most ten minutes, by default zero. The notice comes before `within`.
    pub notice: Duration,
    /// How long the service may take to answer open requests, close its sockets and store the last events; from one
    /// second to an hour, by default 30 s. Work that is not done by then is parked or dropped.
    pub within: Duration,
}

impl Drain {
    pub(super) fn read(field: Field<'_>) -> Self {
        let mut section = field.section();
        let notice = section.field("notice").duration(NOTICE).unwrap_or_default();
        let within = section.field("within").duration(WITHIN).unwrap_or(DEFAULT);
        section.finish();
        Self { notice, within }
    }
}
