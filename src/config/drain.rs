//! `[drain]`: how long the service may take to end.

use std::{ops::RangeInclusive, time::Duration};

use super::field::Field;

/// None by default: whoever waits for it pays for it at each restart.
const NOTICE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(600);
const WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// What orchestrators usually allow before they kill.
const DEFAULT: Duration = Duration::from_secs(30);

/// How the service ends when it is told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// How long `/readyz` says that the end is near before anything else changes, for balancers that look at it; up to ten
    /// minutes, and nothing where nothing is said. It comes before `within`.
    pub notice: Duration,
    /// How long it may take to answer what was asked, close its sockets and keep what happened last; from one second to
    /// an hour, 30 s where nothing is said. What is not done by then is parked or dropped.
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
