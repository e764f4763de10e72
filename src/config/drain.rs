//! `[drain]`: how long the service may take to end.

use std::{ops::RangeInclusive, time::Duration};

use super::field::Field;

const WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// What orchestrators usually allow before they kill.
const DEFAULT: Duration = Duration::from_secs(30);

/// How the service ends when it is told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// How long it may take to answer what was asked, close its sockets and keep what happened last; from one second to
    /// an hour, 30 s where nothing is said. What is not done by then is parked or dropped.
    pub within: Duration,
}

impl Drain {
    pub(super) fn read(field: Field<'_>) -> Self {
        let mut section = field.section();
        let within = section.field("within").duration(WITHIN).unwrap_or(DEFAULT);
        section.finish();
        Self { within }
    }
}
